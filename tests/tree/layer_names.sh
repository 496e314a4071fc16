#!/bin/sh
# What a layer or an activation is stands in its row (src/nn/layer_*.c and layers.def,
# tensor/acts.def): nobody else compares its name with words or lists such words. That
# the check finds what it looks for is planted and seen.
set -eu
check() { # ROOT: names every comparison, fails when there is one
    perl -e '
        use strict;
        use warnings;
        my ($root, $bad) = ($ARGV[0], 0);
        my %name;
        for my $table ("src/nn/layers.def", "include/dscq/tensor/acts.def") {
            open my $in, "<", $table or die "$table: $!\n";
            while (my $row = <$in>) { $name{$1} = 1 if $row =~ /^DSCQ_(?:LAYER|ACT)\((\w+)/ }
        }
        die "fewer names than there were\n" if keys %name < 28;
        my $args = qr/\((?:[^()]|\([^()]*\))*\)/;
        for my $file (split /\n/, qx(find $root/src -name "*.[ch]" | LC_ALL=C sort)) {
            next if $file =~ m{/src/nn/layer_\w+\.c$};
            open my $in, "<", $file or die "$file: $!\n";
            my $text = do { local $/; <$in> };
            while ($text =~ /(\b\w*(?:cmp|choice_find|act_find|layer_find)\s*$args|\{\s*"\w+"\s*[,}])/g) {
                my ($found, $at) = ($1, $-[0]);
                for my $word ($found =~ /"([^"]*)"/g) {
                    for (grep { $name{$_} } split /\|/, $word) {
                        my $line = 1 + (substr($text, 0, $at) =~ tr/\n//);
                        $found =~ s/\s+/ /g;
                        print "$file:$line: asks for the name $_: $found\n";
                        $bad = 1;
                    }
                }
            }
        }
        exit $bad;
    ' "$1"
}
check .
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/src/export" "$scratch/src/nn"
plant() { # FILE LINE: must be found
    printf '%s\n' "$2" >"$scratch/src/$1"
    if check "$scratch" >/dev/null; then
        echo "not found: $1: $2"
        exit 1
    fi
    rm "$scratch/src/$1"
}
plant export/a.c 'int f(const char *s) { return strcmp(s, "maxpool") == 0; }'
plant export/b.c 'int f(node *n) { return strcmp(type_of(n),
    "route") != 0; }'
plant nn/c.c 'x = dscq_choice_find("yes|yolo|no", n->type) >= 0;'
plant nn/d.h 'static const char *const k_movers[] = {"reorg", "upsample"};'
plant export/e.c 'static const row k_rows[] = {
    {"hard_swish", 3}};'
plant export/f.c 'if (n->act == dscq_act_find("mish")) return 1;'
printf 'add(m, "maxpool"); f(strcmp(s, "max") == 0);\n' >"$scratch/src/export/g.c"
printf 'strcmp(s, "maxpool");\n' >"$scratch/src/nn/layer_pool.c"
check "$scratch"
echo "no name of a layer or an activation is compared elsewhere"
