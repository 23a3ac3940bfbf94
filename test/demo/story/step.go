package story

import (
	"context"
	"time"
)

// stepTimeout bounds one step with its proof.
const stepTimeout = 3 * time.Minute

// step is one sentence of the story. do uses nothing but the command line; proof does not use it, or only where Keyturn's
// refusal is what has to be seen, and says in a few words how it was proved.
type step struct {
	title string
	do    func(context.Context, *Stage) error
	proof func(context.Context, *Stage) (string, error)
}

// steps is the story.
func steps() []step {
	return []step{
		{"The server starts on an empty folder, with a setup link", startServer, provedStart},
		{"The link's code makes the first administrator", setUp, provedSetUp},
		{"She signs out and in again", signIn, provedSignIn},
		{"cluster config is applied with kubectl in both clusters", applyConnector, provedConnector},
		{"cluster test checks host, API and the token that kubectl read", testClusters, provedTest},
		{"cluster add connects both clusters", addClusters, provedClusters},
		{"cluster secrets shows what could be fetched: metadata only", listAvailable, provedAvailable},
		{"cluster fetch brings the Secrets in", fetchSecrets, provedFetch},
		{"Each namespace is a resource", listResources, provedResources},
		{"account download gives Secrets that kubectl apply takes", downloadSecrets, provedDownload},
		{"A PostgreSQL resource, its account and a reconcile account", addDatabase, provedDatabase},
		{"account verify logs in with what is stored", verifyAccounts, provedVerify},
		{"Three keys and a part of a URL, in two clusters, are mapped", mapKeys, provedMappings},
		{"account reset turns the key and restarts what reads it", resetAccount, provedReset},
		{"account versions and reveal give the new and the old value", lookAtVersions, provedVersions},
		{"A Secret changed with kubectl is a new version at once", changeSecret, provedChange},
		{"Where the vault wins, a changed password is put back", healSecret, provedHeal},
		{"A Secret is deleted with kubectl; Keyturn keeps its values", deleteSecret, provedTombstone},
		{"A plain user in a group is granted one account to view", grantView, provedGrant},
		{"audit list shows who did what, and that he was refused", listAudit, provedList},
		{"audit verify and audit export; the export is proved offline", exportAudit, provedExport},
		{"A tampered export is found, down to the entry", tamperExport, provedTamper},
		{"kill -9 amid a second reset; started again, the run finishes", crash, provedCrash},
		{"No value is in a log, the repository's files or the export", noOp, provedClean},
	}
}

func noOp(context.Context, *Stage) error { return nil }
