import Foundation
package import Glibc
import IPC

/// What must go when this process goes, also when it is killed: kept by a small bash process of its own,
/// which sees the pipe to it close and then does what is still owed.
package enum CrashCleanup {
    package enum Debt: Hashable, Sendable {
        case processGroup(pid_t)
        /// Processes that carry this string (`NAME=value`) in their environment.
        case environment(String)
        /// A throw-away account, with its processes.
        case account(String)
        case directory(String)

        fileprivate var line: String {
            switch self {
            case .processGroup(let group): "1group:\(group)"
            case .environment(let entry): "2environment:\(entry)"
            case .account(let name): "3account:\(name)"
            case .directory(let path): "4directory:\(path)"
            }
        }
    }

    package static func owe(_ debt: Debt) { keeper.tell("+ \(debt.line)\n") }

    package static func settle(_ debt: Debt) { keeper.tell("- \(debt.line)\n") }

    /// Runs `action` when the process exits in the ordinary way, last registered first.
    package static func atExit(_ action: @escaping @Sendable () -> Void) { keeper.add(action) }

    private static let keeper = Keeper()
}

/// Holds the pipe to the bash process.
// @unchecked: the mutable state is only touched under `lock`.
private final class Keeper: @unchecked Sendable {
    private let lock = NSLock()
    private var actions: [@Sendable () -> Void] = []
    private var pipe: Int32 = -1
    private var shell: pid_t = -1

    init() {
        // A write to a process that has ended must be an error, not the end of the tests.
        signal(SIGPIPE, SIG_IGN)
        atexit { CrashCleanup.finish() }
        guard var ends = try? IPC.Pipe(), let readEnd = ends.readEnd.take(), let writeEnd = ends.writeEnd.take(),
            let pid = Keeper.start(reading: readEnd)
        else { return }
        shell = pid
        pipe = writeEnd.release()
    }

    /// In a session of its own, so that what kills this process and its group leaves it alone, and without its output: who reads
    /// that to its end must not wait for it.
    private static func start(reading input: borrowing OwnedFD) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, input.rawValue, 0)
        for number in [1, 2] as [Int32] {
            posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
        }
        posix_spawn_file_actions_closeFrom(&actions, 3)
        // POSIX_SPAWN_SETSID and SETSIGMASK, spawn.h.
        posix_spawnattr_setflags(&attributes, 0x80 | 0x08)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        let words = [strdup("/bin/bash"), strdup("-c"), strdup(script), nil]
        let variables = [strdup("PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"), nil]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        return posix_spawn(&pid, "/bin/bash", &actions, &attributes, words, variables) == 0 ? pid : nil
    }

    /// The digit before each kind is the order of the work: processes first, directories last.
    private static let script = #"""
        trap '' INT TERM HUP QUIT
        declare -A owed
        while IFS= read -r line; do
            case $line in
                '+ '*) owed[${line#+ }]=1 ;;
                '- '*) unset "owed[${line#- }]" ;;
            esac
        done
        for debt in "${!owed[@]}"; do printf '%s\n' "$debt"; done | sort | while IFS= read -r debt; do
            what=${debt#*:}
            case $debt in
                1group:*) kill -KILL -- "-$what" ;;
                2environment:*)
                    for p in $(grep -lzFx -- "$what" /proc/[0-9]*/environ); do
                        p=${p#/proc/}; kill -KILL "${p%/environ}"
                    done ;;
                3account:*)
                    uid=$(id -u -- "$what") && [ "$uid" -gt 0 ] || continue
                    for p in /proc/[0-9]*; do
                        [ "$(stat -c %u "$p")" = "$uid" ] && kill -KILL "${p#/proc/}"
                    done
                    for try in 1 2 3 4 5 6 7 8 9; do userdel -f -- "$what" && break; sleep 0.3; done ;;
                4directory:/tmp/csd.*)
                    while read -r _ _ _ _ place _; do
                        case $place in "$what" | "$what"/*) printf '%s\n' "$place" ;; esac
                    done </proc/self/mountinfo | tac | while IFS= read -r place; do umount -l -- "$place"; done
                    rm -rf -- "$what"
                    [ ! -e "$what" ] || { chmod -R u+rwx -- "$what"; rm -rf -- "$what"; } ;;
            esac
        done 2>/dev/null
        """#

    func tell(_ line: String) {
        lock.withLock {
            guard pipe >= 0 else { return }
            // One write below PIPE_BUF is never torn.
            _ = line.withCString { write(pipe, $0, strlen($0)) }
        }
    }

    func add(_ action: @escaping @Sendable () -> Void) {
        lock.withLock { actions.append(action) }
    }

    func finish() {
        for action in lock.withLock({ actions.reversed() }) { action() }
        let shell = lock.withLock {
            if pipe >= 0 { close(pipe) }
            pipe = -1
            return self.shell
        }
        guard shell > 0 else { return }
        // At most 30 seconds.
        for _ in 0..<3000 {
            guard waitpid(shell, nil, WNOHANG) == 0 else { return }
            poll(nil, 0, 10)
        }
    }
}

extension CrashCleanup {
    /// The ordinary end of the process: everything owed is done before it returns.
    fileprivate static func finish() { keeper.finish() }
}

// glibc has it since 2.34, but only under _GNU_SOURCE, which the Glibc module is built without.
@_silgen_name("posix_spawn_file_actions_addclosefrom_np")
@discardableResult
package func posix_spawn_file_actions_closeFrom(
    _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ lowest: Int32
) -> Int32
