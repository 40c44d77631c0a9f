package server

import "context"

// maxUnrecorded is how many findings wait for an instance's chain that cannot be written.
const maxUnrecorded = 1000

// recordTamperings logs what was found tampered with, each finding once an hour, and records it in
// the instance's chain. What cannot be recorded now is recorded later.
func (s *server) recordTamperings(ctx context.Context) {
	found := s.instance.Vault.NewTamperings()
	for _, what := range found {
		s.log.ErrorContext(ctx, "the database was tampered with, or is damaged: what does not "+
			"verify is refused; run doctor", "what", what)
	}
	s.unrecorded = append(s.unrecorded, found...)
	s.unrecorded = s.unrecorded[:min(len(s.unrecorded), maxUnrecorded)]
	if len(s.unrecorded) == 0 || s.instance.Store.ReadOnly() {
		return
	}
	err := s.instance.Vault.RecordTamperings(ctx, s.unrecorded)
	switch {
	case err == nil:
		s.unrecorded = nil
	case s.unrecordedReported.pass():
		s.log.WarnContext(ctx, "tampering could not be recorded in the audit log", "cause", err)
	}
}

// watchTampering adds a metric of uses that found the database tampered with.
func (m *metrics) watchTampering(count func() uint64) {
	m.count("keysake_tampering_total",
		"Uses that were refused because the database has not what was stored.", count)
}
