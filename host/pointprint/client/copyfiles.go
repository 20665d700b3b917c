package client

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/pointprint/digest"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// queueFiles brings the files of each subkey of CopyFiles (step 7). A component that is
// refused, by the policy, by a check or by its Module, costs itself and nothing else; a
// server that cannot be reached any more costs the whole.
func (s *session) queueFiles(ctx context.Context) error {
	s.con.Components = nil
	for _, k := range s.read.keys {
		key := componentKey(k.path)
		if key == "" {
			continue
		}
		part, err := s.component(ctx, key, k)
		if passing(err) {
			return err
		}
		if err != nil {
			part.Files, part.Refused = nil, err.Error()
			s.c.event(eventlog.CopyFilesRefused, eventlog.Warning, s.con.Name, "CopyFiles\\%s is refused: %s", key, err)
			s.trace.add(7, outcome(err), "refuse %s", quoted(part.path()))
		}
		s.con.Components = append(s.con.Components, part)
		s.filesChanged(ctx, part)
	}
	return nil
}

// filesChanged logs that the files have come and tells the Module, unless it is a refresh
// that found everything as it was.
func (s *session) filesChanged(ctx context.Context, part Component) {
	if s.before != nil {
		if old := s.before.component(part.Key); old != nil && old.same(part) {
			return
		}
		s.changed = true
	}
	if part.Refused != "" {
		return
	}
	s.c.event(eventlog.PointPrintFilesDownloaded, eventlog.Info, s.con.Name, "Point and Print files downloaded: %d of CopyFiles\\%s, to %s",
		len(part.Files), part.Key, part.TargetDir)
	s.trace.add(7, fmt.Sprintf("event %d", int(eventlog.PointPrintFilesDownloaded)), "ReportEvent(%s)", quoted(eventlog.PointPrintFilesDownloaded.String()))
	s.c.tellModule(ctx, s.con, part, 7, pointprint.FilesChanged, s.trace)
}

// component takes one subkey from its values to its files.
func (s *session) component(ctx context.Context, key string, k printerKey) (part Component, err error) {
	part = Component{
		Key: key, Directory: k.text(printerdata.Directory), Module: k.text(printerdata.Module),
		SourceDir: k.text(printerdata.SourceDir), TargetDir: k.text(printerdata.TargetDir),
	}
	if k.refused != nil {
		return part, k.refused
	}
	if err := s.c.cfg.Policy.CopyFiles.Check(confine.Component{Key: key, Directory: part.Directory, Module: part.Module}); err != nil {
		return part, err
	}
	source, target, err := s.received(&part)
	if err != nil {
		return part, err
	}
	if part.Module != "" {
		dirs, err := s.generate(ctx, part)
		if err != nil {
			return part, err
		}
		part.SourceDir, part.TargetDir = dirs.SourceDir, dirs.TargetDir
		if source, target, err = s.answered(part); err != nil {
			return part, err
		}
	}
	names, err := fileNames(k)
	if err != nil {
		return part, err
	}
	part.Files, err = s.copy(ctx, source, target, names, s.c.cfg.Policy.CopyFiles)
	return part, err
}

// received checks the directories as the server gave them, and expands TargetDir below the
// driver directory.
func (s *session) received(part *Component) (source, target confine.Rel, err error) {
	if source, err = confine.ParseSource("SourceDir", s.con.Name.Server, part.SourceDir); err != nil {
		return nil, nil, err
	}
	if target, err = confine.ParseRel("TargetDir", part.TargetDir); err != nil {
		return nil, nil, err
	}
	part.TargetDir = target.Path(s.c.cfg.Tree.Dir())
	return source, target, s.mayBeTarget(target)
}

// answered checks them again after the Module has answered, which may have changed both.
func (s *session) answered(part Component) (source, target confine.Rel, err error) {
	if source, err = confine.ParseSource("the Module's SourceDir", s.con.Name.Server, part.SourceDir); err != nil {
		return nil, nil, err
	}
	if target, err = confine.ParseTarget("the Module's TargetDir", s.c.cfg.Tree.Dir(), part.TargetDir); err != nil {
		return nil, nil, err
	}
	return source, target, s.mayBeTarget(target)
}

// driversDir is where the driver files of all servers are, each in a directory of its own:
// two servers may have different versions of one driver.
const driversDir = "Servers"

// mayBeTarget keeps queue files out of the directories of drivers, and those of the policy
// color in theirs.
func (s *session) mayBeTarget(target confine.Rel) error {
	if spool.Fold(target[0]) == spool.Fold(driversDir) {
		return spoolerr.New(spoolerr.Denied, 0, "TargetDir %s is refused: it is a place for drivers", spool.Quote(target.String()))
	}
	if s.c.cfg.Policy.CopyFiles == confine.Color && target.Key() != "color" {
		return spoolerr.New(spoolerr.Denied, 0, "TargetDir %s is refused: the policy copy_files = %q takes Color only", spool.Quote(target.String()), string(confine.Color))
	}
	return nil
}

// fileNames gives the value Files, each name checked.
func fileNames(k printerKey) ([]string, error) {
	v, ok := k.value(printerdata.Files)
	if !ok {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "it has no value Files")
	}
	names, err := v.List()
	if err != nil {
		return nil, err
	}
	return names, checkNames(names)
}

func checkNames(names []string) error {
	if len(names) > maxFiles {
		return spoolerr.New(spoolerr.Exhausted, 0, "it names %d files; the most is %d", len(names), maxFiles)
	}
	seen := make(map[string]bool)
	for _, name := range names {
		if err := confine.CheckFileName("file name", name); err != nil {
			return err
		}
		if seen[spool.Fold(name)] {
			return spoolerr.New(spoolerr.Denied, spoolerr.CodeInvalidName, "file name %s is there twice", spool.Quote(name))
		}
		seen[spool.Fold(name)] = true
	}
	return nil
}

// copiesAtOnce is how many files come at the same time: more do not make it faster, and a
// server has others to serve.
const copiesAtOnce = 4

// copy brings the files of one directory of the share.
func (s *session) copy(ctx context.Context, source, target confine.Rel, names []string, policy confine.Policy) ([]File, error) {
	files, err := s.stat(ctx, source, target, names)
	if err != nil {
		return nil, err
	}
	s.progress.announce(files)
	results := make([]string, len(files))
	copies, all := errgroup.WithContext(ctx)
	copies.SetLimit(copiesAtOnce)
	for i, f := range files {
		copies.Go(func() error {
			if all.Err() != nil {
				return nil // another one has failed, and says so
			}
			present, err := s.c.fetch(all, download{remote: s.remote, source: source.String() + `\` + names[i], file: f, policy: policy, moved: s.progress.moved})
			results[i] = copied(f, present, err)
			if err == nil {
				s.progress.finished(f, present)
			}
			return err
		})
	}
	err = copies.Wait()
	for i, f := range files {
		if results[i] != "" {
			s.trace.add(s.copyStep(policy), results[i], "CopyFile(%s, %s)", quoted(s.share()+source.String()+`\`+names[i]), quoted(f.path(s.c.cfg.Tree.Dir())))
		}
	}
	if err != nil {
		return nil, err
	}
	return files, nil
}

// copied says in the trace what became of a file.
func copied(f File, present bool, err error) string {
	if err != nil {
		return outcome(err)
	}
	result := fmt.Sprintf("%d bytes, %s %s", f.Size, digest.Name, f.Digest)
	if present {
		result += ", already there"
	}
	return result
}

// copyStep is the number of the step that copies files: drivers' are under no policy.
func (s *session) copyStep(policy confine.Policy) int {
	if policy == driverPolicy {
		return 3
	}
	return 7
}

func (s *session) share() string { return `\\` + s.con.Name.Server + `\` + confine.Share + `\` }

// stat asks what the files are: from here on they are known by their digests, and a server
// that sends something else is found out.
func (s *session) stat(ctx context.Context, source, target confine.Rel, names []string) (files []File, err error) {
	const atOnce = 500
	var total int64
	for from := 0; from < len(names); from += atOnce {
		part := names[from:min(from+atOnce, len(names))]
		found, err := s.statSome(ctx, source, part)
		if err != nil {
			return nil, err
		}
		for i, r := range found {
			f, err := announced(r, part[i])
			if err != nil {
				return nil, err
			}
			f.Dir, f.Name = target, part[i]
			if total += f.Size; total > maxTotal {
				return nil, spoolerr.New(spoolerr.Exhausted, 0, "its files have more than %d bytes", int64(maxTotal))
			}
			files = append(files, f)
		}
	}
	return files, nil
}

func (s *session) statSome(ctx context.Context, source confine.Rel, names []string) (found []*apiv1.StatFileResult, err error) {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = source.String() + `\` + name
	}
	err = s.remote.do(ctx, func(ctx context.Context, l *link) error {
		r, err := l.share.StatFiles(ctx, &apiv1.StatFilesRequest{Spooler: s.remote.to(), Paths: paths})
		found = r.GetResults()
		return err
	})
	if err == nil && len(found) != len(names) {
		return nil, spoolerr.New(spoolerr.Corrupt, 0, "the server says of %d files what %d are", len(names), len(found))
	}
	return found, err
}

// announced checks what the server says of a file.
func announced(r *apiv1.StatFileResult, name string) (File, error) {
	f := r.GetFile()
	if r.GetStatus() != 0 || f == nil {
		return File{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "file %s is not in the server's share", spool.Quote(name))
	}
	if !digest.Is(f.GetDigest()) {
		return File{}, spoolerr.New(spoolerr.Corrupt, 0, "the server gives no digest of file %s", spool.Quote(name))
	}
	if f.GetSize() < 0 || f.GetSize() > maxFile {
		return File{}, spoolerr.New(spoolerr.Exhausted, 0, "file %s has %d bytes; the most is %d", spool.Quote(name), f.GetSize(), int64(maxFile))
	}
	return File{Size: f.GetSize(), Digest: f.GetDigest()}, nil
}
