package wire

func dropInherited() {}

func endGroup() {}
