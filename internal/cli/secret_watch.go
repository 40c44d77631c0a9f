package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/wire"
)

// off is how to say that something is not done.
const off = "off"

func newSecretsWatch(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show or say how your secrets are watched",
		Long: `Show how your secrets are watched, or change it. With --probe-every the server asks
the providers about that often whether your keys work, and lists show a key that
turned invalid; it asks about an invalid key only once. With --unused-after, a
secret that no program was given for so long counts as unused. Needs the scope
secrets:read, and leases:write to change it.`,
		Example: `  keysake secrets watch --probe-every 24h
  keysake secrets watch --unused-after 30d --probe-every off`,
		Args: noArgs,
	}
	f := cmd.Flags()
	every := f.String("probe-every", "", "a `TIME` from 1h on, such as 24h, or off")
	unused := f.String("unused-after", "", "a `TIME` from 1d on, such as 90d, or off")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var in wire.Watch
		changes := *every != "" || *unused != ""
		for _, one := range []struct {
			flag, text string
			to         **int64
		}{
			{"--probe-every", *every, &in.ProbeEvery}, {"--unused-after", *unused, &in.UnusedAfter},
		} {
			if one.text == "" || one.text == off {
				continue
			}
			d, ok := parseLifetime(one.text)
			if !ok {
				return usagef("%s must be a duration such as 24h or 90d, or off", one.flag)
			}
			*one.to = new(int64(d / time.Second))
		}
		watch, err := a.secretsWatch(cmd.Context(), func(now *wire.Watch) bool {
			if *every != "" {
				now.ProbeEvery = in.ProbeEvery
			}
			if *unused != "" {
				now.UnusedAfter = in.UnusedAfter
			}
			return changes
		})
		if err != nil {
			return err
		}
		return show(a, watch, *asJSON, watchGrid)
	}
	return cmd
}

// secretsWatch returns how secrets are watched, after change, which reports whether it changed
// anything.
func (a *app) secretsWatch(
	ctx context.Context, change func(*wire.Watch) bool,
) (wire.Watch, error) {
	c, err := a.connect()
	if err != nil {
		return wire.Watch{}, err
	}
	w, err := c.GetWatch(ctx)
	if err == nil && change(&w) {
		w, err = c.SetWatch(ctx, w)
	}
	return w, err
}

func watchGrid(w wire.Watch) grid {
	return grid{
		{"probe every", orOff(w.ProbeEvery)}, {"unused after", orOff(w.UnusedAfter)},
	}
}

func orOff(seconds *int64) string {
	if seconds == nil {
		return off
	}
	return formatLifetime(time.Duration(*seconds) * time.Second)
}
