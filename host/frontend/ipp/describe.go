package ipp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// describe gives what a printer says of itself and its device: what an operator or its
// driver declared, and for the rest what is true of most devices. Jobs take their
// attributes along to the device.
func describe(p spooler.PrinterView) goipp.Attributes {
	list := defaults()
	for _, a := range attr.Decode(p.Description) {
		list = attr.Put(list, a)
	}
	return withMedia(list)
}

// defaults describe a printer of which nothing is declared.
func defaults() goipp.Attributes {
	const duplex = "two-sided-long-edge"
	return goipp.Attributes{
		attr.Enum("finishings-default", 3), attr.Enum("finishings-supported", 3),
		attr.Keyword("job-sheets-default", "none"), attr.Keyword("job-sheets-supported", "none"),
		attr.Keyword("media-default", "iso_a4_210x297mm"),
		attr.Keyword("media-supported", "iso_a4_210x297mm", "na_letter_8.5x11in", "iso_a5_148x210mm", "iso_a3_297x420mm", "na_legal_8.5x14in",
			"na_ledger_11x17in", "na_executive_7.25x10.5in", "iso_a6_105x148mm", "na_index-4x6_4x6in", "iso_dl_110x220mm", "na_number-10_4.125x9.5in"),
		attr.Keyword("media-ready", "iso_a4_210x297mm"),
		attr.Keyword("media-type-supported", "auto", "stationery", "photographic", "labels", "envelope", "transparency"),
		attr.Keyword("media-source-supported", "auto", "main", "manual"),
		attr.Keyword("multiple-document-handling-default", "separate-documents-collated-copies"),
		attr.Keyword("multiple-document-handling-supported", "separate-documents-collated-copies"),
		attr.Int("number-up-default", 1), attr.Int("number-up-supported", 1),
		attr.NoValue("orientation-requested-default"), attr.Enum("orientation-requested-supported", 3, 4, 5, 6),
		attr.Keyword("output-bin-default", "auto"), attr.Keyword("output-bin-supported", "auto"),
		attr.Keyword("overrides-supported", "document-numbers", "pages"),
		attr.Bool("page-ranges-supported", true),
		attr.Keyword("print-color-mode-default", "auto"), attr.Keyword("print-color-mode-supported", "auto", "color", "monochrome"),
		attr.Keyword("print-content-optimize-default", "auto"), attr.Keyword("print-content-optimize-supported", "auto"),
		attr.Enum("print-quality-default", 4), attr.Enum("print-quality-supported", 3, 4, 5),
		attr.Keyword("print-rendering-intent-default", "auto"), attr.Keyword("print-rendering-intent-supported", "auto"),
		attr.Keyword("print-scaling-default", "auto"), attr.Keyword("print-scaling-supported", "auto", "auto-fit", "fill", "fit", "none"),
		attr.DPI("printer-resolution-default", 600), attr.DPI("printer-resolution-supported", 300, 600),
		attr.Keyword("sides-default", "one-sided"), attr.Keyword("sides-supported", "one-sided", duplex, "two-sided-short-edge"),

		attr.Bool("color-supported", true), attr.Int("pages-per-minute", 30), attr.Int("pages-per-minute-color", 30),
		attr.Text("printer-make-and-model", "spoolhost queue"), attr.Text("printer-message-from-operator", ""),
		attr.Text("printer-organization", ""), attr.Text("printer-organizational-unit", ""),
		attr.Make("printer-geo-location", goipp.TagUnknown, goipp.Void{}),
		attr.Keyword("pwg-raster-document-type-supported", "sgray_8", "srgb_8"), attr.DPI("pwg-raster-document-resolution-supported", 300, 600),
		attr.Keyword("pwg-raster-document-sheet-back", "normal"),
		attr.Keyword("urf-supported", "V1.4", "CP1", "W8", "SRGB24", "RS300-600", "DM1", "MT1-3-4-5-6-8", "PQ3-4-5"),
	}
}

// withMedia adds what follows from the sizes of paper.
func withMedia(list goipp.Attributes) goipp.Attributes {
	sizes, _, _ := attr.ReadTexts(list, "media-supported")
	ready, _, _ := attr.ReadTexts(list, "media-ready")
	def, _, _ := attr.ReadText(list, "media-default")
	var all []goipp.Collection
	for _, name := range sizes {
		if size, ok := mediaSize(name); ok {
			all = append(all, sizeOf(size))
		}
	}
	add := func(a goipp.Attribute) {
		if !attr.Has(list, a.Name) && len(a.Values) > 0 {
			list = append(list, a)
		}
	}
	add(attr.Keyword("media-col-supported", "media-size", "media-top-margin", "media-bottom-margin", "media-left-margin", "media-right-margin", "media-type", "media-source"))
	add(attr.Collections("media-size-supported", all...))
	add(attr.Collections("media-col-default", mediaCols([]string{def})...))
	add(attr.Collections("media-col-ready", mediaCols(ready)...))
	for _, edge := range []string{"top", "bottom", "left", "right"} {
		add(attr.Int("media-"+edge+"-margin-supported", 0, margin))
	}
	return list
}

// margin is the usual unprintable edge of paper, in hundredths of a millimetre.
const margin = 423

func sizeOf(size [2]int) goipp.Collection {
	return goipp.Collection{attr.Int("x-dimension", size[0]), attr.Int("y-dimension", size[1])}
}

// mediaCols describes sizes of paper in full.
func mediaCols(names []string) []goipp.Collection {
	var cols []goipp.Collection
	for _, name := range names {
		size, ok := mediaSize(name)
		if !ok {
			continue
		}
		cols = append(cols, goipp.Collection{
			attr.Keyword("media-size-name", name), attr.Collections("media-size", sizeOf(size)),
			attr.Int("media-top-margin", margin), attr.Int("media-bottom-margin", margin),
			attr.Int("media-left-margin", margin), attr.Int("media-right-margin", margin),
			attr.Keyword("media-type", "auto"), attr.Keyword("media-source", "auto"),
		})
	}
	return cols
}

// mediaSize reads the size in a self-describing name of PWG 5101.1, such as
// iso_a4_210x297mm, in hundredths of a millimetre.
func mediaSize(name string) (size [2]int, ok bool) {
	unit := 100.0
	dims, metric := strings.CutSuffix(name[strings.LastIndexByte(name, '_')+1:], "mm")
	if !metric {
		unit = 2540
		if dims, ok = strings.CutSuffix(dims, "in"); !ok {
			return size, false
		}
	}
	x, y, _ := strings.Cut(dims, "x")
	for i, text := range []string{x, y} {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n > 0 && n < 1e5) {
			return size, false
		}
		size[i] = int(n*unit + 0.5)
	}
	return size, true
}

// templateOf says whether an attribute of a printer is about an attribute of jobs.
func templateOf(name string) bool {
	if strings.HasPrefix(name, "media-") {
		return true
	}
	for _, suffix := range []string{"-default", "-supported", "-ready", "-database"} {
		if base, cut := strings.CutSuffix(name, suffix); cut && slices.Contains(templates(), base) {
			return true
		}
	}
	return false
}

// settable says whether Set-Printer-Attributes may change an attribute, and whether it is
// kept in the description (info and location are the spooler's).
func settable(name string) (ok, described bool) {
	switch name {
	case "printer-info", "printer-location", "document-format-supported", "requesting-user-name-allowed", "requesting-user-name-denied":
		return true, false
	case "copies-default", "copies-supported", "job-priority-supported", "job-hold-until-supported", "job-priority-default":
		return name == "job-priority-default", false
	}
	known := attr.Has(defaults(), name) || strings.HasPrefix(name, "media-col-") || name == "printer-device-id" ||
		name == "media-size-supported" || name == "finishings-col-supported" || name == "finishings-col-default"
	return known, known
}
