// Package rotation turns a key: it changes a credential on the real system, proves the new one, writes it to every mapped
// Secret key and proves that too. One change is a [Run]; it goes through steps, each stored with its audit event and under
// the run's fence before the next begins.
//
//	planned ─▶ minted ─▶ applied ─▶ verified ─▶ published ─▶ rolled_out ─▶ retired ─▶ done
//	              │          │          │            │             │
//	              └──────────┴────┬─────┴────────────┴─────────────┘
//	                              ▼
//	        rolled_back (old value proved valid)   or   needs_attention (says what is known)
//
// If the power fails:
//
//   - before minted is stored, nothing happened: the target was told nothing;
//   - between minted and applied, the target may accept either value, and both are sealed in the vault: the run logs in
//     with the new one, then with the old one, and goes on from what it finds. It never assumes;
//   - after applied, the new value is the valid one, or the run says that it is not known to be;
//   - while publishing, each Secret either has the new value or the one that was seen: the run reads it again, leaves
//     alone what is already right, and writes the rest with a compare-and-set on what it read;
//   - while an immutable Secret is replaced, the name of the one in its place is stored before that is made, and what was
//     made says by which run; the old one is there until nothing names it any more and its value is retired;
//   - between two waves of clusters, the order in which they go and the wave that is being written are stored: the run goes
//     on with that wave, whatever the policy says by then;
//   - while rolling out, who held the old value is stored, or is asked again; a workload that carries the run's mark is
//     not restarted a second time, and what is not proved to be without old pods is followed again.
//
// Invariants: a value is sealed and committed before any target hears of it. A worker that lost its lease can store
// nothing, because every write names the fence it was given. A value that a target refused by its policy is never sent
// twice; a value whose outcome is unknown is never replaced by another before the outcome is known.
package rotation
