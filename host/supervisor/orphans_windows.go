package supervisor

func groupAlive(int) bool { return false }
