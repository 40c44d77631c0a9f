package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version of this program, its Go version, and its platform.",
		Example: "  keysake version",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.print(versionLine() + "\n") },
	}
}

func versionLine() string {
	return fmt.Sprintf("keysake %s (%s, %s/%s)",
		programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
