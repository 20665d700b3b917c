package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// ranking gives the nodes that may take each spooler without an owner, by folded names, the
// best first. All nodes come to the same result from the same view: who has the monitors
// that it needs, who is preferred, who has the fewest spoolers. Many that lose their owner
// at once are spread.
func (v View) ranking() map[string][]string {
	load := v.load()
	ranking := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(v.Spoolers)) {
		if _, _, owned := v.OwnerOf(name); owned {
			continue
		}
		nodes := v.candidates(name, load)
		if len(nodes) > 0 {
			ranking[name] = nodes
			load[nodes[0]]++
		}
	}
	return ranking
}

// load counts the spoolers of each node.
func (v View) load() map[string]int {
	load := make(map[string]int)
	for name := range v.Spoolers {
		if o, _, owned := v.OwnerOf(name); owned {
			load[spool.Fold(o.Node)]++
		}
	}
	return load
}

// OwnedBy gives the names of the spoolers that a living node owns.
func (v View) OwnedBy(node string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(v.Spoolers)) {
		if _, m, ok := v.OwnerOf(name); ok && spool.Fold(m.Name) == spool.Fold(node) {
			names = append(names, v.Spoolers[name].Name)
		}
	}
	return names
}

// Lightest gives the node with whose death the least would go: the one that owns the fewest
// spoolers. It is empty unless it has fewer than this node, or this one is to have none.
func (n *Node) Lightest() string {
	v, _ := n.View()
	return v.lightest(spool.Fold(n.cfg.Name))
}

func (v View) lightest(self string) (node string) {
	load := v.load()
	if m, ok := v.Members[self]; !ok || m.Leaving || v.Drained[self] {
		load[self] = len(v.Spoolers) + 1
	}
	least := load[self]
	for _, other := range slices.Sorted(maps.Keys(v.Members)) {
		if m := v.Members[other]; !m.Leaving && !v.Drained[other] && load[other] < least {
			node, least = m.Name, load[other]
		}
	}
	return node
}

// candidates gives the nodes that may take a spooler, the best first.
func (v View) candidates(name string, load map[string]int) []string {
	type candidate struct {
		node                     string
		lacking, preferred, load int
	}
	var list []candidate
	for node, m := range v.Members {
		if m.Leaving || v.Drained[node] {
			continue
		}
		_, lost := v.lacks(name, m)
		list = append(list, candidate{node, lost, v.preference(name, node), load[node]})
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.lacking, b.lacking), cmp.Compare(a.preferred, b.preferred), cmp.Compare(a.load, b.load), cmp.Compare(a.node, b.node))
	})
	nodes := make([]string, len(list))
	for i, c := range list {
		nodes[i] = c.node
	}
	return nodes
}

// preference is a node's place in the spooler's list, or behind it.
func (v View) preference(name, node string) int {
	preferred := v.Spoolers[spool.Fold(name)].Preferred
	if i := slices.IndexFunc(preferred, func(p string) bool { return spool.Fold(p) == node }); i >= 0 {
		return i
	}
	return len(preferred)
}

// lacks says which monitors a node lacks for a spooler, and how many printers that costs.
func (v View) lacks(name string, m Member) (reasons []string, printers int) {
	state := v.States[spool.Fold(name)]
	for _, monitor := range slices.Sorted(maps.Keys(state.Needs)) {
		has, ok := m.Monitors[monitor]
		switch {
		case !ok:
			reasons = append(reasons, fmt.Sprintf("monitor %s is not installed on %s (%d printers)%s",
				spool.Quote(monitor), m.Name, state.Uses[monitor], m.unfetched(monitor)))
		case has != state.Needs[monitor]:
			reasons = append(reasons, fmt.Sprintf("monitor %s has another digest on %s: %s instead of %s (%d printers)%s",
				spool.Quote(monitor), m.Name, short(has), short(state.Needs[monitor]), state.Uses[monitor], m.unfetched(monitor)))
		default:
			continue
		}
		printers += max(state.Uses[monitor], 1)
	}
	return reasons, printers
}

// unfetched says why a node does not have a monitor that is stored in the cluster, if it is.
func (m Member) unfetched(monitor string) string {
	if why := m.Unfetched[monitor]; why != "" {
		return ", though it is stored in the cluster: " + why
	}
	return ""
}

// short is as much of a digest as a person compares.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(len(digest), 12)]
}
