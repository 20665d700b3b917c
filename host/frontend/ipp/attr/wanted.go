package attr

import "github.com/OpenPrinting/goipp"

// Wanted is what requested-attributes asks for. The zero value wants nothing.
type Wanted struct {
	names  map[string]bool
	groups map[string]bool
}

// Want makes a Wanted of names, and of names of groups among those that are known.
func Want(names []string, groups ...string) Wanted {
	w := Wanted{names: make(map[string]bool, len(names)), groups: make(map[string]bool)}
	for _, n := range names {
		w.names[n] = true
	}
	for _, g := range groups {
		if w.names[g] {
			w.groups[g] = true
		}
	}
	if w.names["all"] {
		w.groups["all"] = true
	}
	return w
}

// Asks says whether an attribute is wanted by its own name.
func (w Wanted) Asks(name string) bool { return w.names[name] }

// Has says whether an attribute that belongs to a group is wanted.
func (w Wanted) Has(name, group string) bool {
	return w.groups["all"] || w.groups[group] || w.names[name]
}

// Source is an attribute that is made only when it is wanted. From, if it gives an
// attribute without a name, has nothing to say of this object.
type Source[T any] struct {
	Name, Group string
	From        func(T) goipp.Attribute
}

// Select makes the wanted attributes of an object.
func Select[T any](w Wanted, sources []Source[T], of T) goipp.Attributes {
	var list goipp.Attributes
	for _, s := range sources {
		if !w.Has(s.Name, s.Group) {
			continue
		}
		if a := s.From(of); len(a.Values) > 0 {
			a.Name = s.Name
			list = append(list, a)
		}
	}
	return list
}
