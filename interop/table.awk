# Compares the cells that were run with the expected ones, and prints the table.
# Files: modes.tsv (SDK, mode, methods), known.tsv (SDK, mode, method or *, words, why),
# then the cells (SDK, mode, method, ok or fails, text).
# -v sdks="java node" names the SDKs that were called: all their cells must be there.
# Exits 1 if a cell is BAD or missing, or if nothing was run.
BEGIN { FS = "\t"; ran = n = 0; for (i = split(sdks, named, " "); i > 0; i--) chosen[named[i]] = 1 }
/^#/ || NF == 0 { next }
FILENAME ~ /modes\.tsv$/ { order[++rows] = $1 FS $2; wanted[$1 FS $2] = $3; next }
FILENAME ~ /known\.tsv$/ { words[$1 FS $2 FS $3] = $4; why[$1 FS $2 FS $3] = $5; next }
{
	cell = $1 FS $2 FS $3
	ran++
	state[cell] = "ok"
	if (($1 FS $2 FS "*") in words) { words[cell] = words[$1 FS $2 FS "*"]; why[cell] = why[$1 FS $2 FS "*"] }
	if (cell in words)
		state[cell] = ($4 == "fails" && index($5, words[cell])) ? "known" : "BAD"
	else if ($4 != "ok")
		state[cell] = "BAD"
	if (state[cell] == "BAD")
		notes[++n] = $1 " " $2 " " $3 ": " ((cell in words) ? "expected to fail with \"" words[cell] "\"; " : "") $4 " " $5
}
END {
	for (i = 1; i <= rows; i++) {
		split(order[i], key, FS)
		if (!(key[1] in chosen)) continue
		line = sprintf("%-7s %-18s", key[1], key[2])
		m = split(wanted[order[i]], methods, " ")
		for (j = 1; j <= m; j++) {
			cell = order[i] FS methods[j]
			if (!(cell in state)) { state[cell] = "BAD"; notes[++n] = key[1] " " key[2] " " methods[j] ": was not run" }
			short = methods[j]; sub(/^.*\.trade\./, "", short)
			line = line sprintf("  %s %s", short, state[cell])
			count[state[cell]]++
		}
		print line
	}
	for (cell in state) if (state[cell] == "known") { split(cell, key, FS); reasons[key[1] " " key[2] ": " why[cell]] = words[cell] }
	if (count["known"]) print "\nknown failures of the SDKs, with the words that they must fail with:"
	for (reason in reasons) print "  " reason "\n      " reasons[reason]
	if (!ran) notes[++n] = "nothing was run"
	for (i = 1; i <= n; i++) print "BAD " substr(notes[i], 1, 300)
	printf "\n%d cells run: %d ok, %d known failures, %d bad\n", ran, count["ok"], count["known"], count["BAD"]
	printf "%d passed, %d failed\n", count["ok"] + count["known"], n
	exit n > 0
}
