#!/bin/bash
# Compares the documents with each other and with the source tree. Prints one sentence per finding,
# and exits with 1 if there is any. `make lint` runs it; it can check another tree:
#
#   scripts/check-documents.sh [FOLDER]
#
# - A document in English and its counterpart in Chinese (X.md, X.zh-CN.md) have the same shape: the
#   same levels of headings, lists, table rows and code blocks in the same order, identical code, and
#   links to the same targets (X.md and X.zh-CN.md count as the same).
# - The targets of relative links exist.
# - Every setting of the services (a clap field with `env`) has a row in README.md's tables. A row
#   that begins with a name in capitals is a setting's or a Makefile variable's, and gives its default.
# - Every verb and variable of `make`, and every file given to `kubectl apply`, `create`, `delete`,
#   `diff`, `patch` or `replace`, that a document shows in code is there.
#
# It checks neither web links nor a link's `#section`, and not what the commands do: the stories in
# e2e run them.
#
# It keeps to bash 3.2 and BSD awk, since macOS has these.

set -u
export LC_ALL=C # awks disagree on what a character is; all know what a byte is
cd "${1:-$(dirname "$0")/..}" || exit 1

work=$(mktemp -d "${TMPDIR:-/tmp}/check-documents.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# Findings go to a file, since many of the loops below run in subshells. So do the errors of tools: a
# check that could not run has not passed.
: >"$work/findings"
exec 2>>"$work/findings"
finding() {
  echo "$1" >>"$work/findings"
}

# What a document is made of, one element a line: the kind, a tab, the line's number, a tab, the
# element. The kinds: shape, code (a line in a code block or an inline piece of code), link.
elements() {
  awk '
    function emit(kind, text) { print kind "\t" NR "\t" text }

    /^ *```/ { emit("shape", "code block " $0); inside = !inside; next }
    inside   { emit("shape", "code line " $0); emit("code", $0); next }

    { line = $0 }
    /^#+ /                  { match(line, /^#+/); emit("shape", "heading of level " RLENGTH) }
    /^ *([-*]|[0-9]+\.) /   { emit("shape", "list item") }
    /^\|/ {
      cells = line
      gsub(/\\\|/, "", cells)
      bars = gsub(/\|/, "", cells)
      emit("shape", "table row of " (bars - 1) " cells")
    }
    {
      # Inline code, which is also taken out, so that nothing in it looks like a link.
      while (match(line, /`[^`]+`/)) {
        emit("code", substr(line, RSTART + 1, RLENGTH - 2))
        line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
      }
      while (match(line, /\]\([^)]*\)/)) {
        emit("link", substr(line, RSTART + 2, RLENGTH - 3))
        line = substr(line, RSTART + RLENGTH)
      }
    }
    END { if (inside) emit("shape", "end inside a code block") }
  ' "$1"
}

# The elements of a kind: number, tab, element.
of_kind() {
  elements "$1" | awk -F '\t' -v kind="$2" '$1 == kind { sub(/^[a-z]+\t/, ""); print }'
}

# Two lists of shape, told apart at their first difference.
compare_shape() {
  awk -F '\t' -v first="$1" -v second="$2" '
    { number = $1; sub(/^[0-9]+\t/, "") }
    FILENAME == ARGV[1] { line[FNR] = number; text[FNR] = $0; count = FNR; next }
    !found && FNR > count {
      found = 1
      print first " has no counterpart of " second ":" number " (" $0 ")."
    }
    !found && text[FNR] != $0 {
      found = 1
      print first ":" line[FNR] " (" text[FNR] ") differs from " second ":" number " (" $0 ")."
    }
    { last = FNR }
    END {
      if (!found && last + 0 < count)
        print second " has no counterpart of " first ":" line[last + 1] " (" text[last + 1] ")."
    }
  ' "$3" "$4" >>"$work/findings"
}

# Where the links of a document go, language and section aside, sorted: a sentence may name two
# things in the other order in another language.
targets() {
  of_kind "$1" link | cut -f 2 | sed -e 's/#.*//' -e 's/\.zh-CN\.md$/.md/' | sort
}

check_pair() {
  english=$1 chinese=${1%.md}.zh-CN.md
  if [ ! -f "$chinese" ]; then
    finding "$english has no twin $chinese."
    return
  fi
  of_kind "$english" shape >"$work/english"
  of_kind "$chinese" shape >"$work/chinese"
  compare_shape "$english" "$chinese" "$work/english" "$work/chinese"

  # The twins link to each other; that link is the same in neither.
  targets "$english" >"$work/english"
  targets "$chinese" >"$work/chinese"
  comm -23 "$work/english" "$work/chinese" | while read -r target; do
    finding "$english links to $target, and $chinese doesn't, or less often."
  done
  comm -13 "$work/english" "$work/chinese" | while read -r target; do
    finding "$chinese links to $target, and $english doesn't, or less often."
  done
}

check_links() {
  of_kind "$1" link | while IFS="$(printf '\t')" read -r line target; do
    case $target in
      *://* | mailto:* | \#*) continue ;;
    esac
    [ -e "$(dirname "$1")/${target%%#*}" ] || finding "$1:$line links to $target, which isn't there."
  done
}

# Every setting: its name, a tab, its default (empty: none, or told in words).
settings() {
  find . \( -name target -o -name node_modules \) -prune -o -path '*/src/*' -name '*.rs' -print | sort | while read -r source; do
    awk '
      /#\[cfg\(test\)\]/ { exit } # a file ends with its tests, and theirs are no settings
      /#\[arg\(/ { argument = ""; reading = 1 }
      reading    { argument = argument $0; if (/\)\]/) reading = 0; next }
      /^ *\/\// { next }
      argument != "" && match($0, /[a-z_]+:/) {
        name = toupper(substr($0, RSTART, RLENGTH - 1))
        set = ""
        if (match(argument, /[(, ]env *= *"[^"]+"/)) {
          name = substr(argument, RSTART, RLENGTH - 1)
          sub(/.*"/, "", name)
          set = 1
        } else if (argument ~ /[(, ]env *[,)]/) set = 1
        value = ""
        if (match(argument, /default_value *= *"[^"]+"/)) {
          value = substr(argument, RSTART, RLENGTH - 1)
          sub(/.*"/, "", value)
        }
        if (set) print name "\t" value
        argument = ""
      }
    ' "$source"
  done | sort -u
}

check_settings() {
  document=$1
  settings >"$work/settings"
  # A setting's row begins with its name in capitals.
  awk '/^\| `[A-Z][A-Z0-9_]*` \|/' "$document" >"$work/rows"
  while IFS="$(printf '\t')" read -r name default; do
    row=$(grep "^| \`$name\` |" "$work/rows")
    if [ -z "$row" ]; then
      finding "$document has no row for the setting $name."
    elif [ -n "$default" ]; then
      case $row in
        *"\`$default\`"*) ;;
        *) finding "$document doesn't say in the row of $name that its default is $default." ;;
      esac
    fi
  done <"$work/settings"
  cut -d '`' -f 2 "$work/rows" | while read -r name; do
    cut -f 1 "$work/settings" | grep -qx "$name" && continue
    if ! known_variable "$name"; then
      finding "$document has a row for $name, which is neither a setting nor a variable of the Makefile."
    elif ! grep "^| \`$name\` |" "$work/rows" | grep -qF "\`$(variable "$name")\`"; then
      finding "$document doesn't say in the row of $name that its default is $(variable "$name")."
    fi
  done
}

known_variable() {
  [ -f Makefile ] && grep -q "^$1 *[?:]*=" Makefile
}

variable() {
  sed -n "s/^$1 *[?:]*= *//p" Makefile
}

known_verb() {
  [ -f Makefile ] && awk -v verb="$1" '
    /^[a-z][a-z0-9_. -]*:([^=]|$)/ {
      sub(/:.*/, "")
      for (i = 1; i <= NF; i++) if ($i == verb) found = 1
    }
    END { exit !found }
  ' Makefile
}

# The words behind `make` or `kubectl apply -f` in a piece of code: number, tab, tool, tab, word.
words() {
  of_kind "$1" code | awk -F '\t' '
    {
      line = $1
      code = $0
      sub(/^[0-9]+\t/, "", code)
      sub(/(^| )#.*/, "", code)             # a comment
      count = split(code, commands, /[;&|()]+/)
      for (i = 1; i <= count; i++) {
        n = split(commands[i], word, / +/)
        for (j = 1; j <= n && word[j] ~ /^(\$|[A-Z_]+=.*)?$/; j++) ; # a prompt, its own environment
        if (word[j] == "make")
          for (j++; j <= n; j++) { if (word[j] ~ /^[A-Za-z]/) print line "\tmake\t" word[j] }
        else if (word[j] == "kubectl" && word[j + 1] ~ /^(apply|create|delete|diff|patch|replace)$/)
          for (j++; j < n; j++) if (word[j] ~ /^(-[fk]|--patch-file)$/) print line "\tkubectl\t" word[j + 1]
      }
    }
  '
}

check_commands() {
  words "$1" | while IFS="$(printf '\t')" read -r line tool word; do
    case $tool:$word in
      make:*=*)
        known_variable "${word%%=*}" || finding "$1:$line sets ${word%%=*}, which the Makefile doesn't have." ;;
      make:*)
        known_verb "$word" || finding "$1:$line says make $word, which the Makefile doesn't have." ;;
      kubectl:*://* | kubectl:-) ;;
      kubectl:*)
        [ -e "$word" ] || finding "$1:$line gives $word to kubectl, which isn't there." ;;
    esac
  done
}

find . -name .git -prune -o \( -name target -o -name node_modules \) -prune -o -name '*.md' -print | sed 's|^\./||' | sort >"$work/documents"
while read -r document; do
  check_links "$document"
  check_commands "$document"
  case $document in
    *.zh-CN.md) [ -f "${document%.zh-CN.md}.md" ] || finding "$document has no twin ${document%.zh-CN.md}.md." ;;
    README.md | docs/*.md) check_pair "$document" ;;
  esac
  case $document in
    README.md | README.zh-CN.md) check_settings "$document" ;;
  esac
done <"$work/documents"
[ -s "$work/documents" ] || finding "There are no documents here."

cat "$work/findings"
[ ! -s "$work/findings" ]
