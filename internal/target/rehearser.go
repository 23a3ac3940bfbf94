package target

import "context"

// Rehearser is a Changer that can tell whether a change would be let do its work, without changing anything.
type Rehearser interface {
	Changer
	// Rehearse logs in as by, as Change would, and shows that the value of account could be changed. It says what was shown,
	// as one sentence without a final full stop. Nothing on the system is another afterwards, whenever it breaks off.
	//
	// A nil error is the only proof. Otherwise it is an [*Error]: NotPermitted, NoSuchAccount or Refused when the change
	// would fail, Unsupported when this system cannot tell, Unreachable when nothing was learnt.
	Rehearse(ctx context.Context, c Connection, by Login, account string) (string, error)
}

// OverlapRehearser is a Rehearser and an [Overlapper] that asks for more when an account is to take two values than when its
// value is replaced.
type OverlapRehearser interface {
	Rehearser
	// RehearseOverlap is Rehearse for [Overlapper.Add].
	RehearseOverlap(ctx context.Context, c Connection, by Login, account string) (string, error)
}
