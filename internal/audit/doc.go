// Package audit records who did what, and makes the record one that anyone can check.
//
//	operation ──▶ Event stored with its effect ──Sequencer──▶ entry in the Merkle log ──▶ signed head ──▶ anchor outside
//
// An [Event] is committed as text, [Event.Canonical], in the transaction of the effect that it describes. Within a second
// a [Sequencer] gives committed events their places in a Merkle log (RFC 6962 hashes, tiles of 256), signs the new head
// and keeps it. [Verify] checks a live log, [VerifyExport] a file that [Export] wrote, without a server.
//
// Invariants: the text that is stored is the text that is hashed; an entry's place never changes; every head that was
// signed stays true of every later log; a sequencer never signs on top of a log that contradicts the newest signed head.
//
// What it cannot show by itself: an event that was removed before it was sequenced, and a log that was cut back to an
// older signed head together with everything behind it. The second is found with a head that was anchored elsewhere.
package audit
