package browser_test

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
)

// pictureFolder is the variable with the folder for the pictures of docs/pages.md.
const pictureFolder = "KEYSAKE_SCREENSHOTS"

// takesPictures reports whether the test runs to take them.
func takesPictures() bool { return os.Getenv(pictureFolder) != "" }

// inDocs are the pictures of docs/pages.md, which make screenshots writes.
var inDocs = map[string]string{
	"secrets-1440-light": "secrets", "secret-1440-dark": "secret", "preset-360-light": "add",
	"stop-360-dark": "stop", "fleet-1440-light": "fleet",
}

// small returns a picture with the 256 colours that it has most of: a page has few, and the file a
// third of its size.
func small(t *testing.T, picture []byte) []byte {
	t.Helper()
	from, err := png.Decode(bytes.NewReader(picture))
	apptest.Must(t, err)
	used, box := map[color.RGBA]int{}, from.Bounds()
	each := func(do func(x, y int, c color.RGBA)) {
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				c, _ := color.RGBAModel.Convert(from.At(x, y)).(color.RGBA)
				do(x, y, c)
			}
		}
	}
	each(func(_, _ int, c color.RGBA) { used[c]++ })
	byUse := slices.SortedFunc(maps.Keys(used), func(a, b color.RGBA) int {
		return cmp.Compare(used[b], used[a])
	})
	var palette color.Palette
	for _, c := range byUse[:min(256, len(byUse))] {
		palette = append(palette, c)
	}
	index := map[color.RGBA]uint8{}
	for c := range used {
		index[c] = uint8(palette.Index(c))
	}
	to := image.NewPaletted(box, palette)
	each(func(x, y int, c color.RGBA) { to.SetColorIndex(x, y, index[c]) })
	var file bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	apptest.Must(t, encoder.Encode(&file, to))
	return file.Bytes()
}
