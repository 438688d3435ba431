package catalog

import (
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileNumbers names a file by its device, its number there, and its time of birth,
// because numbers are used again. Where a file system keeps no time of birth, a new file
// may be taken for one that was removed.
func fileNumbers(path string, info fs.FileInfo) string {
	var x unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO|unix.STATX_BTIME, &x)
	if err == nil {
		birth := ""
		if x.Mask&unix.STATX_BTIME != 0 {
			birth = fmt.Sprintf(":%d.%d", x.Btime.Sec, x.Btime.Nsec)
		}
		return fmt.Sprintf("%d.%d:%d%s", x.Dev_major, x.Dev_minor, x.Ino, birth)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	return path
}
