package process

import (
	"maps"
	"os"
	"testing"
)

func TestOnlyWhatIsStillTheFilesIsForgotten(t *testing.T) {
	t.Parallel()
	const smaps = `00400000-00eb7000 r-xp 00000000 fe:00 11412478     /bin/keysake
Rss:                3840 kB
Anonymous:             0 kB
00eb7000-019d3000 r--p 00ab7000 fe:00 11412478     /bin/keysake
Anonymous:             4 kB
019d3000-01a7f000 r--p 015d3000 fe:00 11412478     /bin/keysake
Anonymous:             0 kB
01a7f000-01b00000 rw-p 015d3000 fe:00 11412478     /bin/keysake
Anonymous:             0 kB
01b00000-01c00000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 11   /lib/another
Anonymous:             0 kB
VmFlags: rd ex
`
	want := map[uintptr]uintptr{0x400000: 0xeb7000, 0x19d3000: 0x1a7f000}
	if got := unchanged(smaps, "/bin/keysake"); !maps.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// What was forgotten is there when it is used.
func TestAProgramGoesOnAfterItSettled(t *testing.T) {
	t.Parallel()
	for range 3 {
		Settle()
		if _, err := os.ReadFile("settle_linux_test.go"); err != nil {
			t.Error(err)
		}
	}
}
