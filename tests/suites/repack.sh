#!/bin/sh
# Makes upgrades of the installed libapache2-mod-python: usage: repack.sh FOLDER COUNT. As root.
#
# FOLDER/1.deb to FOLDER/COUNT.deb are the same package, each with another module in it and a higher version.
set -eu

out=$1 count=$2
module=/usr/lib/apache2/modules/mod_python.so
rm -rf "$out"
mkdir -p "$out/tree/DEBIAN"
cd "$out"
dpkg-query -L libapache2-mod-python | while read -r file; do
    # -h: a link to a folder is a file of the package.
    [ -d "$file" ] && [ ! -h "$file" ] || { mkdir -p "tree$(dirname "$file")" && cp -a "$file" "tree$file"; }
done
dpkg-query -s libapache2-mod-python | sed -n '/^Conffiles:/,/^[^ ]/{/^ /d;/^Conffiles:/d}; /^Status:/d; p' >control
dpkg-query -W -f '${Conffiles}\n' libapache2-mod-python | awk 'NF { print $1 }' >tree/DEBIAN/conffiles
for script in preinst postinst prerm postrm; do
    [ ! -e "/var/lib/dpkg/info/libapache2-mod-python.$script" ] ||
        cp "/var/lib/dpkg/info/libapache2-mod-python.$script" "tree/DEBIAN/$script"
done
number=0
while [ "$number" -lt "$count" ]; do
    number=$((number + 1))
    # The loader ignores bytes after the last section.
    cp "$module" "tree$module"
    echo "upgraded $number" >>"tree$module"
    sed "s/^Version: .*/&.$number/" control >tree/DEBIAN/control
    dpkg-deb -b --root-owner-group tree "$number.deb" >/dev/null
done
rm -rf tree control
