package store

import "github.com/keysake/keysake/internal/backup"

// The tables of a backup, each with its columns once for reading and once for writing. Every column
// there is must be here: a test holds them against the schema.

func userRows() table[backup.User] {
	return table[backup.User]{
		"users",
		[]string{
			"id",
			"username",
			"email_address",
			"full_name",
			"owner_key_id",
			"secret_count",
			"audit_seq",
			"audit_hash",
			"created_at",
			"deleted_at",
		},
		1,
		func(r *backup.User) []any {
			return []any{
				&r.ID,
				&r.Username,
				&r.Email,
				&r.FullName,
				&r.OwnerKey,
				&r.Secrets,
				&r.AuditSeq,
				digest{&r.AuditHash},
				&r.CreatedAt,
				&r.DeletedAt,
			}
		},
		func(r backup.User) []any {
			return []any{
				idText(
					r.ID,
				),
				r.Username,
				r.Email,
				r.FullName,
				idText(r.OwnerKey),
				r.Secrets,
				r.AuditSeq,
				r.AuditHash[:],
				r.CreatedAt,
				r.DeletedAt,
			}
		},
	}
}

func rootKeyRows() table[backup.RootKey] {
	return table[backup.RootKey]{
		"root_keys",
		[]string{
			"created_at",
			"id",
			"url",
			"params",
			"state",
			"check_value",
			"replaced_at",
			"retired_at",
		},
		2,
		func(r *backup.RootKey) []any {
			return []any{
				&r.CreatedAt,
				&r.ID,
				&r.URL,
				&r.Params,
				&r.State,
				&r.Check,
				&r.ReplacedAt,
				&r.RetiredAt,
			}
		},
		func(r backup.RootKey) []any {
			return []any{
				r.CreatedAt,
				idText(r.ID),
				r.URL,
				r.Params,
				r.State,
				r.Check,
				r.ReplacedAt,
				r.RetiredAt,
			}
		},
	}
}

func ownerKeyRows() table[backup.OwnerKey] {
	return table[backup.OwnerKey]{
		"owner_keys",
		[]string{"user_id", "id", "root_key_id", "wrapped", "created_at"},
		2,
		func(r *backup.OwnerKey) []any {
			return []any{&r.User, &r.ID, &r.RootKey, &r.Wrapped, &r.CreatedAt}
		},
		func(r backup.OwnerKey) []any {
			return []any{idText(r.User), idText(r.ID), idText(r.RootKey), r.Wrapped, r.CreatedAt}
		},
	}
}

func apiKeyRows() table[backup.APIKey] {
	return table[backup.APIKey]{
		"api_keys",
		[]string{
			"user_id",
			"id",
			"token_hash",
			"masked",
			"name",
			"scopes",
			"self_revoke",
			"created_at",
			"expires_at",
			"revoked_at",
			"last_used_at",
		},
		2,
		func(r *backup.APIKey) []any {
			return []any{
				&r.User,
				&r.ID,
				digest{&r.TokenHash},
				&r.Masked,
				&r.Name,
				&r.Scopes,
				&r.SelfRevoke,
				&r.CreatedAt,
				&r.ExpiresAt,
				&r.RevokedAt,
				&r.LastUsedAt,
			}
		},
		func(r backup.APIKey) []any {
			return []any{
				idText(
					r.User,
				),
				idText(r.ID),
				r.TokenHash[:],
				r.Masked,
				r.Name,
				r.Scopes,
				r.SelfRevoke,
				r.CreatedAt,
				r.ExpiresAt,
				r.RevokedAt,
				r.LastUsedAt,
			}
		},
	}
}

func secretRows() table[backup.Secret] {
	return table[backup.Secret]{
		"secrets",
		[]string{
			"user_id",
			"id",
			"name",
			"provider",
			"version",
			"sealed_mask",
			"sealed_value",
			"created_at",
			"updated_at",
		},
		2,
		func(r *backup.Secret) []any {
			return []any{
				&r.User,
				&r.ID,
				&r.Name,
				&r.Provider,
				&r.Version,
				&r.SealedMask,
				&r.SealedValue,
				&r.CreatedAt,
				&r.UpdatedAt,
			}
		},
		func(r backup.Secret) []any {
			return []any{
				idText(r.User),
				idText(r.ID),
				r.Name,
				r.Provider,
				r.Version,
				r.SealedMask,
				r.SealedValue,
				r.CreatedAt,
				r.UpdatedAt,
			}
		},
	}
}

func versionRows() table[backup.Version] {
	return table[backup.Version]{
		"secret_versions",
		[]string{"user_id", "secret_id", "version", "sealed_mask", "sealed_value", "created_at"},
		3,
		func(r *backup.Version) []any {
			return []any{
				&r.User,
				&r.Secret,
				&r.Version,
				&r.SealedMask,
				&r.SealedValue,
				&r.CreatedAt,
			}
		},
		func(r backup.Version) []any {
			return []any{
				idText(r.User),
				idText(r.Secret),
				r.Version,
				r.SealedMask,
				r.SealedValue,
				r.CreatedAt,
			}
		},
	}
}

func instanceRows() table[backup.Instance] {
	return table[backup.Instance]{
		"instance",
		[]string{"id", "audit_seq", "audit_hash"},
		1,
		func(r *backup.Instance) []any {
			return []any{&r.ID, &r.AuditSeq, digest{&r.AuditHash}}
		},
		func(r backup.Instance) []any {
			return []any{idText(r.ID), r.AuditSeq, r.AuditHash[:]}
		},
	}
}

func auditRows() table[backup.AuditEntry] {
	return table[backup.AuditEntry]{
		"audit_entries",
		[]string{
			"owner_id", "seq", "at", "user_id", "credential_kind", "credential_id", "on_behalf_of",
			"client", "action", "outcome", "target_kind", "target_id", "target_name",
			"target_version", "lease_id", "run", "hash",
		},
		2,
		func(r *backup.AuditEntry) []any {
			return []any{
				&r.Owner, &r.Seq, &r.At, &r.User, &r.CredentialKind, &r.CredentialID,
				&r.OnBehalfOf, &r.Client, &r.Action, &r.Outcome, &r.TargetKind, &r.TargetID,
				&r.TargetName, &r.TargetVersion, &r.Lease, &r.Run, digest{&r.Hash},
			}
		},
		func(r backup.AuditEntry) []any {
			return []any{
				idText(r.Owner), r.Seq, r.At, idText(r.User), r.CredentialKind,
				idText(r.CredentialID), idText(r.OnBehalfOf), r.Client, r.Action, r.Outcome,
				r.TargetKind, idText(r.TargetID), r.TargetName, r.TargetVersion, idText(r.Lease),
				r.Run, r.Hash[:],
			}
		},
	}
}
