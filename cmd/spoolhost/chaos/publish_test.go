//go:build linux

package chaos

import (
	"strings"
)

// publishes has one node store modules of all kinds in the cluster, and another fetch them:
// what the commands say, also when they are used wrongly. The program is a module of each
// kind.
func (w *world) publishes() {
	w.Helper()
	kinds := []struct{ kind, name, serves string }{
		{"monitor", "Acme Port", "tcpmon"}, {"monitorui", "acmeui", "tcpmonui"}, {"pointprint", "acmecolor", "mscms"}, {"driver", "acmedriver", "genericdriver"},
	}
	for _, k := range kinds {
		install := []string{"module", "add", k.name, "--kind", k.kind, "--module", w.binary, "--", "module", "serve", k.serves}
		if k.kind == "monitor" {
			install = []string{"monitor", "add", k.name, "--module", w.binary, "--", "module", "serve", k.serves}
		}
		w.says(1, "", install...)
		w.says(1, k.kind+" "+k.name+" is stored in the cluster: sha256:", "module", "publish", k.name, "--kind", k.kind)
		w.says(2, k.kind+" "+k.name+" is installed on this node: sha256:", "module", "fetch", k.name, "--kind", k.kind)
	}
	w.says(2, "Acme Port", "monitor", "list")
	list := w.says(3, "spoolhost module fetch", "module", "list", "--cluster")
	for _, k := range kinds {
		if !strings.Contains(list, k.name) || k.kind != "monitor" && !strings.Contains(list, "with --kind "+k.kind) {
			w.Errorf("%s %s is not in the list, or not how to get it: %s", k.kind, k.name, list)
		}
		if k.kind != "monitor" {
			w.says(2, k.name, "module", "list")
		}
	}
	w.refuse(1,
		refusal{"publishing what comes with the host", []string{"module", "publish", "Standard TCP/IP Port"}, 7, "every node has it"},
		refusal{"publishing what is not there", []string{"module", "publish", "nobody"}, 3, "nobody"},
		refusal{"fetching what is not there", []string{"module", "fetch", "nobody"}, 3, "nobody"},
		refusal{"withdrawing as another kind", []string{"module", "withdraw", "acmeui", "--kind", "driver"}, 3, "acmeui"},
	)
	for _, k := range kinds {
		w.says(3, k.kind+" "+k.name+" removed from the cluster", "module", "withdraw", k.name, "--kind", k.kind)
	}
	w.says(2, "no modules in the cluster", "module", "list", "--cluster")
	w.says(2, "Acme Port", "monitor", "list") // it keeps what it has
}

// says runs a command that must succeed and say something.
func (w *world) says(at int, want string, args ...string) string {
	w.Helper()
	out, code := w.at(at, args...)
	if code != 0 || !strings.Contains(out, want) {
		w.Errorf("spoolhost %s at node %d: exit %d, want %q: %s", strings.Join(args, " "), at, code, want, out)
	}
	return out
}
