internal import IPC

/// The script that ends commands' processes on the remote host, run over a session of its own, or by the watchdog of the
/// command's own observer when its time is up.
enum TreeStop {
    /// Arguments: observers as `PID:NONCE`; answers for each a record separator, this word, and a line with the answer. With `w`
    /// before a single one it runs as that observer's child: it spares the observer, and its exit status is 0 where nothing else
    /// is left, else 1.
    ///
    /// A process belongs to a command when it
    /// - descends from the observer, or from one that belongs to it or did when last seen;
    /// - is in the session or process group that the observer leads;
    /// - is in the session of the observer, where that is neither ours nor that of one of our ancestors: something of the
    ///   host's started the observer without an `exec`, and the session is this command's. What it has beside the observer is
    ///   left alone, and so is what stands between it and us;
    /// - is in a session that the host shares among commands, and writes to the observer's own output.
    ///
    /// In a session that is not the command's alone there may be a stray besides: it started after the observer, and has lost its
    /// parent, so that nothing tells whose it is. It is not stopped, and keeps the answer from being `confirmed`. The same goes for
    /// what the observer's own ancestors may have adopted, prctl(2) PR_SET_CHILD_SUBREAPER.
    ///
    /// What forked twice into a session of its own has left, on purpose, and is not found; where it holds the command's output,
    /// whoever reads that sees it. TERM, two seconds, then KILL until none is left.
    ///
    /// Within single quotes of every login shell: no quote, no doubled backslash, no `!`.
    static let script = [
        #"w=; [ "$1" = w ] && { w=1; shift; trap "" TERM; }"#,
        // Says what has become of the observer p.
        #"k() { printf "\036%s %s\n" "$p:$N" "$1"; }"#,
        // One line a process: id, parent, group, session, state, start. Without /proc there is ps, which lacks session and start.
        #"l() { if [ -r /proc/self/stat ]; then for f in /proc/[0-9]*/stat; do"#
            // A process may put newlines and parentheses into its name; the fields follow the last one.
            + #" x=; { while read -r y; do x="$x $y"; done <"$f"; } 2>/dev/null; case $x in *") "*) ;; *) continue;; esac;"#
            + #" q=${f#/proc/}; set -- ${x##*\) };"#
            + #" echo "${q%/stat},$2,$3,$4,$1,${20}"; done;"#
            + #" else ps -A -o pid= -o ppid= -o pgid= -o stat= | while read -r i j g z; do echo "$i,$j,$g,$g,$z,0"; done; fi; }"#,
        // Splits a line: i process, j parent, g group, e session, x state, T start.
        #"s() { x=$1; i=${x%%,*} x=${x#*,}; j=${x%%,*} x=${x#*,}; g=${x%%,*} x=${x#*,}; e=${x%%,*} x=${x#*,};"#
            + #" T=${x##*,} x=${x%%,*}; }"#,
        // The same for the process $1; fails where it is not there.
        #"f() { for y in $a; do case $y in "$1",*) s "$y"; return 0;; esac; done; i= j= g= e= x= T=; return 1; }"#,
        // In r, those in $1 and their descendants, but $2 and its.
        #"c() { r=$1 o=; while [ "$r" != "$o" ]; do o=$r; for y in $a; do s "$y"; [ "$i" = "$2" ] && continue;"#
            + #" case $r in *" $i "*) ;; *" $j "*) r="$r$i ";; esac; done; done; }"#,
        // Whether the process i writes to the output of the observer.
        #"o() { for y in $Y; do [ "/proc/$i/fd/1" -ef "/proc/$p/fd/$y" ] && return 0;"#
            + #" [ "/proc/$i/fd/2" -ef "/proc/$p/fd/$y" ] && return 0; done; return 1; }"#,
        // Finds the observer p and what marks its processes: it is v seen, and started at B; L leads a session or a group; E is a
        // session that it does not lead, with Y its outputs; S is the same where that is the command's alone, with W between the
        // observer and us, and K what W may have adopted, which is not what reads from the observer. A are our ancestors.
        #"b() { a=$(l); A=" " W=" " K=" " S=- L=- E=- Y= v= k=; f $$; z=$e h=$j;"#
            + #" q=$$; while [ -n "$q" ]; do A="$A$q "; f "$q"; q=$j; done;"#
            + #" if [ -n "$w" ]; then [ "$h" = "$p" ] || exit 3; v=1;"#
            + #" else case $A in *" $p "*) return;; esac;"#
            + #" if f "$p"; then t() { if [ -r "/proc/$p/cmdline" ]; then tr "\000" " " <"/proc/$p/cmdline"; else ps -o args= -p "$p"; fi 2>/dev/null; };"#
            + #" case $x$(t) in Z*) ;; *"$N"*) v=1;; *) return;; esac; fi; fi;"#
            + #" if [ -z "$v" ]; then [ "$z" = "$p" ] || L=$p; return; fi;"#
            + #" k=" $p"; f "$p"; [ "$e" = "$p" ] || [ "$g" = "$p" ] && L=$p; [ "$e" = "$p" ] && return; E=$e B=$T;"#
            + #" q=$j; while [ -n "$q" ]; do case $A in *" $q "*) break;; esac; W="$W$q "; f "$q"; q=$j; done;"#
            + #" case $A in *" $E "*) ;; *) [ "$E" = "$z" ] || S=$E;; esac;"#
            + #" for y in 1 2; do { [ -p "/proc/$p/fd/$y" ] || [ -S "/proc/$p/fd/$y" ]; } && Y="$Y $y"; done;"#
            + #" for y in $a; do s "$y"; case $W in *" $j "*) ;; *) continue;; esac; case "$W$p " in *" $i "*) continue;; esac;"#
            + #" [ "$T" -ge "$B" ] || continue; for y in $Y; do [ -p "/proc/$p/fd/$y" ] &&"#
            + #" [ "/proc/$i/fd/0" -ef "/proc/$p/fd/$y" ] && continue 2; done; K="$K$i "; done; }"#,
        // Leaves the living processes of the command in t, those but the observer's own two in u, and remembers t in k.
        #"h() { a=$(l); c " $$ " -; M="$A$r"; r=; [ "$W" = " " ] || c "$W" "$p"; m="$M$r"; t= u= O=-; while [ "$t" != "$O" ]; do O=$t; for y in $a; do s "$y";"#
            + #" case $x in Z*) continue;; esac;"#
            + #" case "$m $t " in *" $i "*) continue;; esac;"#
            + #" case " $k $t " in *" $i "*|*" $j "*) ;; *)"#
            + #" [ "$g" = "$L" ] || [ "$e" = "$L" ] || [ "$e" = "$S" ] || { [ "$e" = "$E" ] && o; } || continue;; esac;"#
            + #" t="$t $i"; [ "$i" = "$p" ] || [ "$j" = "$p" ] || u="$u $i"; done; done; k="$k $t"; [ -z "$u" ] || F=1; }"#,
        // Whether there is a stray: a process whose parent has ended has another, in another session, or the first of all.
        #"n() { [ "$E" = - ] && return 1; for y in $a; do s "$y"; case $x in Z*) continue;; esac;"#
            + #" case $K in *" $i "*) return 0;; esac; [ "$e" = "$E" ] && [ "$i" != "$E" ] && [ "$T" -ge "$B" ] || continue;"#
            + #" case "$M$W" in *" $i "*) continue;; esac; [ "$j" = 1 ] && return 0;"#
            + #" f "$j" && [ "$e" = "$E" ] || return 0; done; return 1; }"#,
        #"d() { h; [ -n "$t" ] && return; n && n=1 || n=0; [ -z "$w" ] || exit $n;"#
            + #" case ${v:-0}${F:-0}$n in 110) k confirmed;; 111) k signalled;; 101) k left;; *) k gone;; esac; exit 0; }"#,
        #"e() { p=${1%%:*} N=${1#*:} F=; b; d; kill -TERM $t 2>/dev/null; n=0"#,
        #"while [ $n -lt 20 ]; do sleep 0.1 2>/dev/null || { sleep 1; n=$((n+9)); }; d; n=$((n+1)); done"#,
        // The observer is spared as long as it can still tell how the command ended.
        #"n=0; while [ $n -lt 20 ]; do [ -n "$u" ] || [ $n -lt 5 ] || u=$t; kill -KILL $u 2>/dev/null;"#
            + #" sleep 0.1 2>/dev/null || sleep 1; d; n=$((n+1)); done"#,
        #"[ -n "$w" ] || k signalled; exit 1; }"#,
        #"for q do (e "$q") & done; [ -z "$w" ] || { wait $! ; exit $?; }; wait"#,
    ].joined(separator: "; ")

    static func line(_ observers: [ObserverID]) -> String {
        "exec /bin/sh -c '\(script)' sh "
            + observers.map { "\($0.processID):\($0.nonce)" }.joined(separator: " ")
    }
}
