package api

// register makes every route of the API. Each file of operations is named after the first word of its paths.
func (s *Server) register() {
	s.unsealOps()
	s.sessionOps()
	s.openSessionOps()
	s.overviewOps()
	s.eventOps()
	s.clusterOps()
	s.fetchOps()
	s.resourceOps()
	s.accountOps()
	s.secretOps()
	s.secretHistoryOps()
	s.mappingOps()
	s.conflictOps()
	s.planOps()
	s.runOps()
	s.runEndOps()
	s.policyOps()
	s.auditOps()
	s.restoreOps()
	s.keyOps()
	s.peopleOps()
	s.grantOps()
	s.tokenOps()
	s.duplicateOps()
}
