package client

// Page is one page of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next is the cursor of the next page; empty on the last.
	Next string `json:"next,omitempty"`
	// Total counts what matches on all pages.
	Total int64 `json:"total"`
	// Counts says how many there are in each state, with every filter applied but that on the state.
	Counts map[string]int64 `json:"counts,omitempty"`
	// AsOf is when the answer was made.
	AsOf Time `json:"asOf"`
	// Can says what the caller may do with the list as a whole, such as "create".
	Can Can `json:"can,omitempty"`
}

// ListOptions choose a page. Limit is 1 to 500, 100 if zero. Cursor and Offset exclude each other.
type ListOptions struct {
	Search string `query:"q" maxLength:"253" doc:"part of a name"`
	Sort   string `query:"sort" maxLength:"32" doc:"a column, with - in front for descending"`
	Limit  int    `query:"limit" minimum:"0" maximum:"500" doc:"rows on a page; 100 if not given"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next of the page before"`
	Offset int    `query:"offset" minimum:"0" maximum:"10000000" doc:"rows to jump over, instead of a cursor"`
}

// Can says by verb what the caller may do with an object, such as "reset" or "delete".
type Can map[string]Permission

// Permission is whether a verb is allowed, and if not, why.
type Permission struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason,omitempty"`
}
