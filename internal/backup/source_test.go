package backup_test

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/backup"
)

// rows are a source in memory.
type rows struct {
	roots    []backup.RootKey
	instance []backup.Instance
	users    []backup.User
	keys     []backup.OwnerKey
	apiKeys  []backup.APIKey
	secrets  []backup.Secret
	versions []backup.Version
	entries  []backup.AuditEntry
}

func each[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (r *rows) RootKeys(context.Context) ([]backup.RootKey, error) { return r.roots, nil }

func (r *rows) Count(context.Context) (backup.Count, error) {
	return backup.Count{
		Instances: int64(len(r.instance)),
		Users: int64(
			len(r.users),
		),
		OwnerKeys:    int64(len(r.keys)),
		APIKeys:      int64(len(r.apiKeys)),
		Secrets:      int64(len(r.secrets)),
		Versions:     int64(len(r.versions)),
		AuditEntries: int64(len(r.entries)),
	}, nil
}

func (r *rows) Instances(context.Context) iter.Seq2[backup.Instance, error] {
	return each(r.instance)
}

func (r *rows) Users(context.Context) iter.Seq2[backup.User, error]         { return each(r.users) }
func (r *rows) OwnerKeys(context.Context) iter.Seq2[backup.OwnerKey, error] { return each(r.keys) }

func (r *rows) APIKeys(
	context.Context,
) iter.Seq2[backup.APIKey, error] {
	return each(r.apiKeys)
}

func (r *rows) Secrets(context.Context) iter.Seq2[backup.Secret, error] { return each(r.secrets) }

func (r *rows) Versions(
	context.Context,
) iter.Seq2[backup.Version, error] {
	return each(r.versions)
}

func (r *rows) AuditEntries(context.Context) iter.Seq2[backup.AuditEntry, error] {
	return each(r.entries)
}

// read returns all rows of a source.
func read(tb testing.TB, src backup.Source) *rows {
	tb.Helper()
	ctx := tb.Context()
	roots, err := src.RootKeys(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	return &rows{
		roots,
		all(tb, src.Instances(ctx)),
		all(tb, src.Users(ctx)),
		all(tb, src.OwnerKeys(ctx)),
		all(tb, src.APIKeys(ctx)),
		all(tb, src.Secrets(ctx)),
		all(tb, src.Versions(ctx)),
		all(tb, src.AuditEntries(ctx)),
	}
}

func all[T any](tb testing.TB, seq iter.Seq2[T, error]) (found []T) {
	tb.Helper()
	for e, err := range seq {
		if err != nil {
			tb.Fatal(err)
		}
		found = append(found, e)
	}
	return found
}

// write returns the bytes of a backup.
func write(tb testing.TB, src backup.Source) []byte {
	tb.Helper()
	var b bytes.Buffer
	if _, _, err := backup.Write(
		tb.Context(),
		&b,
		src,
		1,
		time.Unix(1_700_000_000, 0),
	); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func open(ctx context.Context, b []byte) (*backup.File, error) {
	return backup.Open(ctx, bytes.NewReader(b), int64(len(b)))
}

func id(n byte) uuid.UUID { return uuid.UUID{0: 1, 15: n} }

// sample has a row of every kind, and every member of it is set.
func sample() *rows {
	at := new(int64(5))
	return &rows{
		roots: []backup.RootKey{
			{
				ID:         id(9),
				URL:        "file:/k",
				Params:     "p",
				State:      "primary",
				Check:      []byte{1},
				OwnerKeys:  1,
				CreatedAt:  1,
				ReplacedAt: at,
				RetiredAt:  at,
			},
		},
		instance: []backup.Instance{{ID: id(8), AuditSeq: 1, AuditHash: backup.Digest{1}}},
		users: []backup.User{
			{
				ID: id(
					1,
				),
				Username:  "mia",
				Email:     "mia@example.org",
				FullName:  "Mia \u2028 \"M\"",
				OwnerKey:  id(2),
				Secrets:   1,
				AuditSeq:  1,
				AuditHash: backup.Digest{2},
				CreatedAt: 3,
				DeletedAt: at,
			},
		},
		keys: []backup.OwnerKey{
			{ID: id(2), User: id(1), RootKey: id(9), Wrapped: []byte{1, 2}, CreatedAt: 1},
		},
		apiKeys: []backup.APIKey{
			{
				ID: id(
					3,
				),
				User:       id(1),
				TokenHash:  backup.Digest{3},
				Masked:     "ksk_••••",
				Name:       "n",
				Scopes:     "a b",
				SelfRevoke: 1,
				CreatedAt:  1,
				ExpiresAt:  at,
				RevokedAt:  at,
				LastUsedAt: at,
			},
		},
		secrets: []backup.Secret{
			{
				ID: id(
					4,
				),
				User:        id(1),
				Name:        "N",
				Provider:    "openai",
				Version:     2,
				SealedMask:  []byte{1},
				SealedValue: bytes.Repeat([]byte{7}, 90_000),
				CreatedAt:   1,
				UpdatedAt:   2,
			},
		},
		versions: []backup.Version{
			{
				Secret:      id(4),
				Version:     1,
				User:        id(1),
				SealedMask:  []byte{1},
				SealedValue: []byte{2},
				CreatedAt:   1,
			},
		},
		entries: []backup.AuditEntry{
			{Owner: id(0), Seq: 1, At: 1, Action: "root-key.add", Outcome: "done"},
			{
				Owner: id(1), Seq: 1, At: 1, User: id(5), CredentialKind: "api-key",
				CredentialID: id(6), OnBehalfOf: id(7), Client: "192.0.2.7", Action: "a",
				Outcome: "done", TargetKind: "secret", TargetID: id(4), TargetName: "N",
				TargetVersion: 2, Lease: id(10), Run: "r", Hash: backup.Digest{2},
			},
		},
	}
}

// anyRows draws a source with any number of rows of any contents.
func anyRows(t *rapid.T) *rows {
	blob := rapid.SliceOfN(rapid.Byte(), 0, 100)
	ids := rapid.Custom(
		func(t *rapid.T) uuid.UUID {
			return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		},
	)
	digest := rapid.Custom(func(t *rapid.T) backup.Digest {
		return backup.Digest(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
	})
	r := &rows{}
	owners := rapid.SliceOfNDistinct(ids, 0, 6, rapid.ID).Draw(t, "users")
	slices.SortFunc(owners, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for _, owner := range owners {
		r.users = append(r.users, backup.User{
			ID:        owner,
			Username:  rapid.String().Draw(t, "name"),
			AuditSeq:  rapid.Uint64().Draw(t, "seq"),
			AuditHash: digest.Draw(t, "hash"),
			CreatedAt: rapid.Int64().Draw(t, "at"),
		})
		for seq := range rapid.Uint64Range(0, 4).Draw(t, "entries") {
			r.entries = append(
				r.entries,
				backup.AuditEntry{
					Owner:      owner,
					Seq:        seq + 1,
					TargetName: rapid.String().Draw(t, "name"),
					Hash:       digest.Draw(t, "hash"),
				},
			)
		}
		for version := range rapid.Uint64Range(0, 3).Draw(t, "versions") {
			r.versions = append(
				r.versions,
				backup.Version{
					User:        owner,
					Secret:      owner,
					Version:     version,
					SealedMask:  blob.Draw(t, "mask"),
					SealedValue: blob.Draw(t, "value"),
				},
			)
		}
	}
	return r
}
