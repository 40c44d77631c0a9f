package vault

// RotateInBatchesOf makes the batches of a rotation small, for tests that stop between two.
func (s *Service) RotateInBatchesOf(n int) { s.batch = n }
