package client

import "time"

// Time is an instant on the wire, RFC 3339 in UTC.
type Time = time.Time
