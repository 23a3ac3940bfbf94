package client

import (
	"fmt"
	"iter"
	"net/url"
	"reflect"
	"strconv"
)

// query encodes a filter by its query tags. Zero fields are left out; of a list each entry is one parameter. It knows
// the kinds that filters have and panics on another one, which is a mistake in this package.
func query(filter any) url.Values {
	out := url.Values{}
	addFields(out, reflect.ValueOf(filter))
	return out
}

func addFields(out url.Values, v reflect.Value) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		name := field.Tag.Get("query")
		switch kind := value.Kind(); {
		case field.Anonymous:
			addFields(out, value)
		case name == "":
		case kind == reflect.Slice:
			for j := range value.Len() {
				out.Add(name, value.Index(j).String())
			}
		case kind == reflect.String:
			add(out, name, value.String(), value)
		case value.CanInt():
			add(out, name, strconv.FormatInt(value.Int(), 10), value)
		case kind == reflect.Bool:
			add(out, name, "true", value)
		default:
			panic(fmt.Sprintf("client: query field %s has kind %s", field.Name, kind))
		}
	}
}

func add(out url.Values, name, text string, v reflect.Value) {
	if !v.IsZero() {
		out.Set(name, text)
	}
}

// All yields what is on all pages of a list, in its order. page returns the page that a cursor names, the first one for
// an empty cursor. It stops after an error, which it yields with a zero T.
//
//	for cluster, err := range client.All(func(cursor string) (client.Page[client.Cluster], error) {
//		filter.Cursor = cursor
//		return c.Clusters(ctx, filter)
//	}) {
func All[T any](page func(cursor string) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			p, err := page(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			if p.Next == "" || p.Next == cursor {
				return
			}
			cursor = p.Next
		}
	}
}
