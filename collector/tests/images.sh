#!/usr/bin/env bash
# Images from this machine's files, for a Docker engine that has no registry. To be sourced: it needs DOCKER and BUSYBOX.

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# A build context that holds a program and the libraries it names, at their own paths.
program() { # CONTEXT FILE PATH-IN-IMAGE
    local library
    install -D -m 0755 "$2" "$1/image$3"
    { ldd "$2" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | while read -r library; do
        cp --parents --dereference --update=none "$library" "$1/image" 2>/dev/null ||
            cp --parents --dereference --no-clobber "$library" "$1/image"
    done
}

# Builds FROM scratch what the context's image/ holds; further lines of the Dockerfile come on stdin.
image() { # CONTEXT TAG
    {
        echo "FROM scratch"
        echo "COPY image/ /"
        cat
    } >"$1/Dockerfile"
    "$DOCKER" build --quiet --tag "$2" "$1" >/dev/null 2>"$1/log" || {
        cat "$1/log" >&2
        die "the image $2 could not be built"
    }
}

# busybox with a link for each of its words, as in the images that are stood in for.
shell() { # CONTEXT
    local word
    install -D -m 0755 "$BUSYBOX" "$1/image/bin/busybox"
    for word in sh wget cat head base64 tr wc chmod chown mv nc grep sleep date id; do
        ln -s busybox "$1/image/bin/$word"
    done
}

# The collector's, as compose/Dockerfile ends.
taffrail_image() { # CONTEXT PROGRAM TAG
    program "$1" "$2" /usr/bin/taffrail
    mkdir -p "$1/image/var/lib/taffrail"
    chmod 1777 "$1/image/var/lib/taffrail"
    image "$1" "$3" <<<$'USER 65534:65534\nENTRYPOINT ["/usr/bin/taffrail"]\nCMD ["run"]'
}
