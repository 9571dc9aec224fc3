#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check-api.sh KERNEL-DOC HEADER KSHIM - kernel-doc has no complaint about the header and
# knows every function that phyr.ko exports for others: it skips, without a word,
# what is not written as it likes.
# red: rename a parameter in the header's comments only, or write one in a single line
set -eu
text=$(perl "$1" -rst -sphinx-version 3.0.0 -Wall -Werror "$2")
missing=
for name in $(sed -n 's/^EXPORT_SYMBOL_GPL(\(.*\));/\1/p' "$3"/*.c | grep -v ^kshim_); do
	case $text in
	*"$name "\(*) ;;
	*) missing="$missing $name" ;;
	esac
done
[ -z "$missing" ] && exit
echo "not in the kernel-doc of $2:$missing" >&2
exit 1
