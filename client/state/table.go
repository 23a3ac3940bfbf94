package state

// table is the list. Its order is the order in which filters and legends show
// the words.
var table = []State{
	{Object: Cluster, Word: "connected", Tone: OK, Icon: "plug-connected", Meaning: "The last check passed all three parts."},
	{Object: Cluster, Word: "degraded", Tone: Warn, Icon: "alert-triangle", Meaning: "It answers, but a right is missing, or its token or CA ends within 14 days."},
	{Object: Cluster, Word: "unreachable", Tone: Danger, Icon: "plug-connected-x", Meaning: "The host does not answer."},
	{Object: Cluster, Word: "untrusted", Tone: Danger, Icon: "certificate-off", Meaning: "Its certificate is not signed by the imported CA."},
	{Object: Cluster, Word: "unauthorised", Tone: Danger, Icon: "key-off", Meaning: "It refuses the token."},

	{Object: Watch, Word: "live", Tone: OK, Icon: "circle-check", Meaning: "Changes in the cluster arrive as they happen."},
	{Object: Watch, Word: "comparing", Tone: Progress, Icon: "loader-2", Meaning: "Everything is compared: it begins, lost its place, or it is time."},
	{Object: Watch, Word: "waiting", Tone: Warn, Icon: "clock-pause", Meaning: "The cluster did not answer; it is tried again at the stated time."},
	{Object: Watch, Word: "off", Tone: Neutral, Icon: "circle-minus", Meaning: "Nobody follows the cluster now."},

	{Object: Key, Word: "in sync", Tone: OK, Icon: "circle-check", Meaning: "Fingerprints were equal at the stated time."},
	{Object: Key, Word: "syncing", Tone: Progress, Icon: "loader-2", Meaning: "A write is under way."},
	{Object: Key, Word: "behind", Tone: Warn, Icon: "history", Meaning: "An older version stands there."},
	{Object: Key, Word: "drift", Tone: Warn, Icon: "arrows-diff", Meaning: "One side changed since the last sync."},
	{Object: Key, Word: "conflict", Tone: Warn, Icon: "git-merge", Meaning: "Both sides changed since the last sync."},
	{Object: Key, Word: "hands off", Tone: Neutral, Icon: "hand-stop", Meaning: "Another controller owns the key."},
	{Object: Key, Word: "blocked", Tone: Danger, Icon: "ban", Meaning: "The API server refused the write."},
	{Object: Key, Word: "tombstone", Tone: Neutral, Icon: "archive", Meaning: "Deleted in the cluster; its value can be restored."},
	{Object: Key, Word: "unseen", Tone: Unverified, Icon: "help-hexagon", Meaning: "Its cluster did not answer, so nothing is known of it now."},

	{Object: Conflict, Word: "open", Tone: Warn, Icon: "git-merge", Meaning: "It was changed in the cluster; somebody has to say which side is right."},
	{Object: Conflict, Word: "healing", Tone: Progress, Icon: "loader-2", Meaning: "The vault's values are being written again."},
	{Object: Conflict, Word: "stopped", Tone: Danger, Icon: "hand-stop", Meaning: "The vault's values could not be written, or not again; the reason is stated."},
	{Object: Conflict, Word: "settled", Tone: OK, Icon: "circle-check", Meaning: "Nothing differs any more."},

	{Object: Account, Word: "verified", Tone: OK, Icon: "shield-check", Meaning: "A login with the current version worked at the stated time."},
	{Object: Account, Word: "unverified", Tone: Unverified, Icon: "help-hexagon", Meaning: "Not tried since the change, or the network kept us from knowing."},
	{Object: Account, Word: "out of sync", Tone: Danger, Icon: "shield-x", Meaning: "The target refuses the stored value."},
	{Object: Account, Word: "locked out", Tone: Danger, Icon: "lock", Meaning: "No known value logs in."},

	{Object: Version, Word: "pending", Tone: Progress, Icon: "circle-dashed", Meaning: "Stored, not yet in use."},
	{Object: Version, Word: "current", Tone: OK, Icon: "circle-check", Meaning: "The version in use."},
	{Object: Version, Word: "previous", Tone: Neutral, Icon: "history", Meaning: "Replaced, and kept until the stated time."},
	{Object: Version, Word: "retired", Tone: Neutral, Icon: "archive", Meaning: "No longer in use."},

	{Object: Run, Word: "queued", Tone: Neutral, Icon: "clock", Meaning: "Stored; no worker has it yet."},
	{Object: Run, Word: "running", Tone: Progress, Icon: "loader-2", Meaning: "A worker holds its lease."},
	{Object: Run, Word: "waiting", Tone: Neutral, Icon: "clock-pause", Meaning: "Waits for a window, an approval or the next wave."},
	{Object: Run, Word: "done", Tone: OK, Icon: "circle-check", Meaning: "Every step was proved."},
	{Object: Run, Word: "rolled back", Tone: Neutral, Icon: "arrow-back-up", Meaning: "The old value was proved valid."},
	{Object: Run, Word: "needs attention", Tone: Danger, Icon: "alert-octagon", Meaning: "It stopped; what is known is listed and nothing is assumed."},
	{Object: Run, Word: "refused", Tone: Neutral, Icon: "ban", Meaning: "The world changed since the plan."},
	{Object: Run, Word: "cancelled", Tone: Neutral, Icon: "circle-minus", Meaning: "Stopped before anything was applied."},

	{Object: Step, Word: "to do", Tone: Neutral, Icon: "circle-dashed", Meaning: "Not started."},
	{Object: Step, Word: "running", Tone: Progress, Icon: "loader-2", Meaning: "Under way."},
	{Object: Step, Word: "done", Tone: OK, Icon: "circle-check", Meaning: "Proved."},
	{Object: Step, Word: "failed", Tone: Danger, Icon: "circle-x", Meaning: "Tried, and refused or broken."},
	{Object: Step, Word: "skipped", Tone: Neutral, Icon: "circle-minus", Meaning: "Not needed here."},
	{Object: Step, Word: "unverified", Tone: Unverified, Icon: "help-hexagon", Meaning: "An ambiguous reply is being settled."},

	{Object: Rollout, Word: "to do", Tone: Neutral, Icon: "circle-dashed", Meaning: "It holds the old value and was not restarted yet."},
	{Object: Rollout, Word: "asks", Tone: Warn, Icon: "hand-stop", Meaning: "Its mapping asks before it is restarted."},
	{Object: Rollout, Word: "rolling", Tone: Progress, Icon: "loader-2", Meaning: "Its pods are being replaced."},
	{Object: Rollout, Word: "done", Tone: OK, Icon: "circle-check", Meaning: "Every pod was made after the write, and is ready."},
	{Object: Rollout, Word: "stuck", Tone: Danger, Icon: "circle-x", Meaning: "It does not get on, or may not be restarted."},
	{Object: Rollout, Word: "held", Tone: Warn, Icon: "clock", Meaning: "Its cluster did not answer; it will be tried again."},
	{Object: Rollout, Word: "skipped", Tone: Neutral, Icon: "circle-minus", Meaning: "Nothing is to be done, or not any more."},

	{Object: Readiness, Word: "ready", Tone: OK, Icon: "test-pipe", Meaning: "The last rehearsal passed."},
	{Object: Readiness, Word: "not ready", Tone: Warn, Icon: "alert-triangle", Meaning: "The last rehearsal failed."},
	{Object: Readiness, Word: "stale", Tone: Neutral, Icon: "clock", Meaning: "The last rehearsal is older than 26 hours."},
	{Object: Readiness, Word: "unknown", Tone: Unverified, Icon: "help-hexagon", Meaning: "There was no rehearsal, or it could not tell."},
	{Object: Readiness, Word: "running", Tone: Progress, Icon: "loader-2", Meaning: "A rehearsal is under way."},

	{Object: Schedule, Word: "overdue", Tone: Warn, Icon: "alert-triangle", Meaning: "The value is older than its policy allows."},
	{Object: Schedule, Word: "due", Tone: Progress, Icon: "hourglass", Meaning: "Its time has come; it begins as soon as a worker is free."},
	{Object: Schedule, Word: "planned", Tone: Neutral, Icon: "clock", Meaning: "It is changed at the stated time."},

	{Object: Request, Word: "pending", Tone: Warn, Icon: "hourglass", Meaning: "Waits for a decision."},
	{Object: Request, Word: "approved", Tone: OK, Icon: "user-check", Meaning: "Approved by a named person."},
	{Object: Request, Word: "denied", Tone: Neutral, Icon: "user-x", Meaning: "Denied by a named person."},
	{Object: Request, Word: "expired", Tone: Neutral, Icon: "clock", Meaning: "Nobody decided in time."},

	{Object: Grant, Word: "active", Tone: OK, Icon: "key", Meaning: "It may be used now."},
	{Object: Grant, Word: "ending", Tone: Warn, Icon: "clock", Meaning: "15 minutes or less are left."},
	{Object: Grant, Word: "ended", Tone: Neutral, Icon: "archive", Meaning: "It may no longer be used."},
	{Object: Grant, Word: "held", Tone: Neutral, Icon: "lock", Meaning: "Somebody else, who is named, has it checked out."},

	{Object: Finding, Word: "open", Tone: Neutral, Icon: "alert-triangle", Meaning: "Seen at the last look, and neither accepted nor fixed.", BySeverity: true},
	{Object: Finding, Word: "accepted", Tone: Neutral, Icon: "clock", Meaning: "Accepted with a reason and an end."},
	{Object: Finding, Word: "fixed", Tone: OK, Icon: "circle-check", Meaning: "No longer there at the last look."},

	{Object: AuditLog, Word: "intact", Tone: OK, Icon: "shield-check", Meaning: "Verified up to the stated entry under a signed head."},
	{Object: AuditLog, Word: "broken", Tone: Danger, Icon: "shield-x", Meaning: "An entry does not match the signed log."},
	{Object: AuditLog, Word: "unchecked", Tone: Unverified, Icon: "help-hexagon", Meaning: "Not verified yet."},

	{Object: Restored, Word: "to check", Tone: Neutral, Icon: "clock", Meaning: "Not looked at yet since the restore."},
	{Object: Restored, Word: "verified", Tone: OK, Icon: "shield-check", Meaning: "A login with the restored value worked."},
	{Object: Restored, Word: "adopted", Tone: OK, Icon: "circle-check", Meaning: "Another value logged in, and is the current one now."},
	{Object: Restored, Word: "agrees", Tone: Unverified, Icon: "help-hexagon", Meaning: "There is nothing to log in to; every mapped key holds the restored value."},
	{Object: Restored, Word: "undecided", Tone: Warn, Icon: "git-merge", Meaning: "There is nothing to log in to, and a mapped key holds another value."},
	{Object: Restored, Word: "unresolved", Tone: Danger, Icon: "shield-x", Meaning: "No known value logs in, or nothing answered."},

	{Object: DataKey, Word: "active", Tone: OK, Icon: "key", Meaning: "It seals every new value."},
	{Object: DataKey, Word: "retired", Tone: Neutral, Icon: "archive", Meaning: "It opens what it has sealed, and seals nothing new."},

	{Object: Page, Word: "live", Tone: OK, Icon: "point", Meaning: "Changes arrive as they happen."},
	{Object: Page, Word: "reconnecting", Tone: Progress, Icon: "loader-2", Meaning: "The connection to the server was lost and is being made again."},
	{Object: Page, Word: "stale", Tone: Warn, Icon: "cloud-off", Meaning: "No news since the stated time."},
	{Object: Page, Word: "read-only", Tone: Danger, Icon: "lock", Meaning: "The server cannot write."},
}
