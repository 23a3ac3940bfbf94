// Package schedule says when a credential is due: by an interval or a cron line, in windows, outside of blackouts, spread
// over the accounts, and not older than a maximum age.
//
//	due by the clock ─▶ into a window, out of blackouts ─▶ spread within what is open ─▶ Next
//
// Invariants: a time that [Schedule.Next] returns lies inside a window if there are windows, inside no blackout, and not
// before the value that is to be replaced was made; the same facts give the same time on every replica; a later value is
// never due earlier. Everything here is pure: the time of now is an argument.
//
// What a wall clock shows is settled like this. A cron line that falls into an hour that is left out in spring is due
// when the clock goes on; one that falls into an hour that comes twice in autumn is due the first time only. A window
// begins with the last of two such times and ends with the first, so that a clock on the wall never contradicts it.
package schedule
