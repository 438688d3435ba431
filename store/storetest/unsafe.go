package storetest

import "unsafe"

// unsafeString is a string over buf, as a caller has whose key lies in a pooled buffer.
func unsafeString(buf []byte) string { return unsafe.String(unsafe.SliceData(buf), len(buf)) }
