internal import IPC

/// The script that ends the processes of commands on a host. It runs over a session of its own, and the watchdog of `Observer`
/// runs it when the command's time is up.
enum TreeStop {
    /// Arguments: one `PID:NONCE` for each observer. For each, the script prints a record separator, the same `PID:NONCE` and a
    /// line with the answer. If `w` stands before a single `PID:NONCE`, the script runs as a child of that observer: it spares
    /// the observer, and its exit status is 0 if nothing else is left, else 1.
    ///
    /// A process belongs to a command if one of these is true:
    /// - It descends from the observer, or from a process that belongs, or belonged when last seen, to the command.
    /// - It is in the session or the process group that the observer leads.
    /// - It is in the session of the observer, and neither the script nor an ancestor of the script is in that session. Then a
    ///   program of the host has started the observer without an `exec`, and the session is the command's alone. The observer's
    ///   own ancestors in that session are left alone, and so are their other descendants.
    /// - It is in a session that the host shares among commands, and it writes to the observer's own output.
    ///
    /// A session that is not the command's alone may also have a stray: a process that started after the observer and has lost
    /// its parent, so that nothing shows whose it is. A stray is not stopped, and the answer is then not `confirmed`. The same is
    /// true of processes that the observer's ancestors may have adopted, prctl(2) PR_SET_CHILD_SUBREAPER.
    ///
    /// A process that forked twice into a session of its own has left the command on purpose, and is not found. If it holds the
    /// command's output, whoever reads that sees it. The script sends TERM, waits two seconds, and then sends KILL until none is
    /// left.
    ///
    /// The script stands inside single quotes of any login shell, so it has no single quote, no doubled backslash and no `!`.
    static let script = [
        #"w=; [ "$1" = w ] && { w=1; shift; trap "" TERM; }"#,
        // k prints the answer $1 for the observer p.
        #"k() { printf "\036%s %s\n" "$p:$N" "$1"; }"#,
        // l prints one line for each process: id, parent, group, session, state, start. Without /proc it asks ps, which does not
        // know session and start.
        #"l() { if [ -r /proc/self/stat ]; then for f in /proc/[0-9]*/stat; do"#
            // A process's name may hold newlines and parentheses. The other fields follow the last parenthesis.
            + #" x=; { while read -r y; do x="$x $y"; done <"$f"; } 2>/dev/null; case $x in *") "*) ;; *) continue;; esac;"#
            + #" q=${f#/proc/}; set -- ${x##*\) };"#
            + #" echo "${q%/stat},$2,$3,$4,$1,${20}"; done;"#
            + #" else ps -A -o pid= -o ppid= -o pgid= -o stat= | while read -r i j g z; do echo "$i,$j,$g,$g,$z,0"; done; fi; }"#,
        // s splits the line $1 into i (process), j (parent), g (group), e (session), x (state) and T (start).
        #"s() { x=$1; i=${x%%,*} x=${x#*,}; j=${x%%,*} x=${x#*,}; g=${x%%,*} x=${x#*,}; e=${x%%,*} x=${x#*,};"#
            + #" T=${x##*,} x=${x%%,*}; }"#,
        // f does the same for the line of process $1, and fails if there is none.
        #"f() { for y in $a; do case $y in "$1",*) s "$y"; return 0;; esac; done; i= j= g= e= x= T=; return 1; }"#,
        // c leaves in r the processes of $1 and their descendants, without $2 and its descendants.
        #"c() { r=$1 o=; while [ "$r" != "$o" ]; do o=$r; for y in $a; do s "$y"; [ "$i" = "$2" ] && continue;"#
            + #" case $r in *" $i "*) ;; *" $j "*) r="$r$i ";; esac; done; done; }"#,
        // o succeeds if the process i writes to the output of the observer.
        #"o() { for y in $Y; do [ "/proc/$i/fd/1" -ef "/proc/$p/fd/$y" ] && return 0;"#
            + #" [ "/proc/$i/fd/2" -ef "/proc/$p/fd/$y" ] && return 0; done; return 1; }"#,
        // t prints the arguments of process $1: those of the observer's script have the nonce.
        #"t() { if [ -r "/proc/$1/cmdline" ]; then tr "\000" " " <"/proc/$1/cmdline"; else ps -o args= -p "$1"; fi 2>/dev/null; }"#,
        // b looks for the observer p, and sets what its processes are known by:
        // v: 1 if the observer was seen; B: its start; L: the session or group that it leads;
        // E: its session if it does not lead that; Y: its outputs in that session; S: the same session if it is the command's
        // alone; W: the processes between the observer and us; K: processes that W may have adopted, without those that read
        // the observer's output; A: our ancestors.
        #"b() { a=$(l); A=" " W=" " K=" " S=- L=- E=- Y= v= k=; f $$; z=$e h=$j;"#
            + #" q=$$; while [ -n "$q" ]; do A="$A$q "; f "$q"; q=$j; done;"#
            + #" if [ -n "$w" ]; then [ "$h" = "$p" ] || exit 3; v=1;"#
            + #" else case $A in *" $p "*) return;; esac;"#
            + #" if f "$p"; then"#
            + #" case $x$(t "$p") in Z*) ;; *"$N"*) v=1;; *) return;; esac; fi; fi;"#
            + #" if [ -z "$v" ]; then [ "$z" = "$p" ] || L=$p; return; fi;"#
            + #" k=" $p"; f "$p"; [ "$e" = "$p" ] || [ "$g" = "$p" ] && L=$p; [ "$e" = "$p" ] && return; E=$e B=$T;"#
            + #" q=$j; while [ -n "$q" ]; do case $A in *" $q "*) break;; esac; W="$W$q "; f "$q"; q=$j; done;"#
            + #" case $A in *" $E "*) ;; *) [ "$E" = "$z" ] || S=$E;; esac;"#
            + #" for y in 1 2; do { [ -p "/proc/$p/fd/$y" ] || [ -S "/proc/$p/fd/$y" ]; } && Y="$Y $y"; done;"#
            + #" for y in $a; do s "$y"; case $W in *" $j "*) ;; *) continue;; esac; case "$W$p " in *" $i "*) continue;; esac;"#
            + #" [ "$T" -ge "$B" ] || continue; for y in $Y; do [ -p "/proc/$p/fd/$y" ] &&"#
            + #" [ "/proc/$i/fd/0" -ef "/proc/$p/fd/$y" ] && continue 2; done; K="$K$i "; done; }"#,
        // h leaves in t the living processes of the command, in u the same without the observer and those of its children that run
        // its script, and adds t to k.
        #"h() { a=$(l); c " $$ " -; M="$A$r"; r=; [ "$W" = " " ] || c "$W" "$p"; m="$M$r"; t= u= O=-; while [ "$t" != "$O" ]; do O=$t; for y in $a; do s "$y";"#
            + #" case $x in Z*) continue;; esac;"#
            + #" case "$m $t " in *" $i "*) continue;; esac;"#
            + #" case " $k $t " in *" $i "*|*" $j "*) ;; *)"#
            + #" [ "$g" = "$L" ] || [ "$e" = "$L" ] || [ "$e" = "$S" ] || { [ "$e" = "$E" ] && o; } || continue;; esac;"#
            + #" t="$t $i"; [ "$i" = "$p" ] || { [ "$j" = "$p" ] && case $(t "$i") in *"$N"*) ;; *) false;; esac; } || u="$u $i"; done; done; k="$k $t"; [ -z "$u" ] || F=1; }"#,
        // n succeeds if there is a stray. The parent of a process whose own parent has ended is in another session, or is
        // process 1.
        #"n() { [ "$E" = - ] && return 1; for y in $a; do s "$y"; case $x in Z*) continue;; esac;"#
            + #" case $K in *" $i "*) return 0;; esac; [ "$e" = "$E" ] && [ "$i" != "$E" ] && [ "$T" -ge "$B" ] || continue;"#
            + #" case "$M$W" in *" $i "*) continue;; esac; [ "$j" = 1 ] && return 0;"#
            + #" f "$j" && [ "$e" = "$E" ] || return 0; done; return 1; }"#,
        #"d() { h; [ -n "$t" ] && return; n && n=1 || n=0; [ -z "$w" ] || exit $n;"#
            + #" case ${v:-0}${F:-0}$n in 110) k confirmed;; 111) k signalled;; 101) k left;; *) k gone;; esac; exit 0; }"#,
        #"e() { p=${1%%:*} N=${1#*:} F=; b; d; kill -TERM $t 2>/dev/null; n=0"#,
        #"while [ $n -lt 20 ]; do sleep 0.1 2>/dev/null || { sleep 1; n=$((n+9)); }; d; n=$((n+1)); done"#,
        // The observer gets KILL later than the others, because it can still tell how the command ended.
        #"n=0; while [ $n -lt 20 ]; do [ -n "$u" ] || [ $n -lt 5 ] || u=$t; kill -KILL $u 2>/dev/null;"#
            + #" sleep 0.1 2>/dev/null || sleep 1; d; n=$((n+1)); done"#,
        #"[ -n "$w" ] || k signalled; exit 1; }"#,
        #"for q do (e "$q") & done; [ -z "$w" ] || { wait $! ; exit $?; }; wait"#,
    ].joined(separator: "; ")

    /// The line for the host's login shell.
    static func line(_ observers: [ObserverID]) -> String {
        "exec /bin/sh -c '\(script)' sh "
            + observers.map { "\($0.processID):\($0.nonce)" }.joined(separator: " ")
    }
}
