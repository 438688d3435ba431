//go:build !linux

package catalog

import (
	"fmt"
	"io/fs"
	"reflect"
)

// fileNumbers names a file by what the operating system numbers files with, and
// otherwise by its path.
func fileNumbers(path string, info fs.FileInfo) string {
	v := reflect.Indirect(reflect.ValueOf(info.Sys()))
	if v.Kind() == reflect.Struct {
		dev, ino := v.FieldByName("Dev"), v.FieldByName("Ino")
		if dev.IsValid() && ino.IsValid() {
			birth := v.FieldByName("Birthtimespec")
			if !birth.IsValid() {
				return fmt.Sprintf("%v:%v", dev, ino)
			}
			return fmt.Sprintf("%v:%v:%v", dev, ino, birth)
		}
	}
	return path
}
