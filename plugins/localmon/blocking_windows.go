package localmon

import "os"

// setBlocking has nothing to do: a device that is opened by os.OpenFile blocks here.
func setBlocking(*os.File) error { return nil }
