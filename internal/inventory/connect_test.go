package inventory

import "testing"

func TestAClusterThatWorksWithItsLongLivedTokenIsDegraded(t *testing.T) {
	report := func(s CheckStep) Report {
		return Report{Checks: []Check{{Name: CheckHost, State: CheckDone}, {Name: CheckAPI, State: CheckDone},
			{Name: CheckToken, State: s.State, Steps: []CheckStep{{Name: "token", State: CheckDone}, s}}}}
	}
	for name, tt := range map[string]struct {
		step   CheckStep
		state  ClusterState
		reason string
	}{
		"a short token":      {CheckStep{State: CheckDone, Detail: "until …"}, ClusterConnected, ""},
		"the long-lived one": {CheckStep{State: CheckDone, Code: LongLived, Cause: "it is used"}, ClusterDegraded, "it is used"},
		"a refused token":    {CheckStep{State: CheckFailed, Code: "token-expired", Cause: "it ended"}, ClusterUnauthorised, "it ended"},
	} {
		if state, reason := stateOf(report(tt.step)); state != tt.state || reason != tt.reason {
			t.Errorf("%s: %s (%s), want %s (%s)", name, state, reason, tt.state, tt.reason)
		}
	}
}
