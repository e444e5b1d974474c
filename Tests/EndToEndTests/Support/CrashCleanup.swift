import Foundation
import Glibc
import Testing

/// What must go when this process goes, also when it is killed: kept by a small bash process of its own,
/// which sees the pipe to it close and then does what is still owed.
enum CrashCleanup {
    enum Debt: Hashable, Sendable {
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

    static func owe(_ debt: Debt) { keeper.tell("+ \(debt.line)\n") }

    static func settle(_ debt: Debt) { keeper.tell("- \(debt.line)\n") }

    /// Runs `action` when the process exits in the ordinary way, last registered first.
    static func atExit(_ action: @escaping @Sendable () -> Void) { keeper.add(action) }

    private static let keeper = Keeper()
}

/// Holds the pipe to the bash process.
// @unchecked: the mutable state is only touched under `lock`.
private final class Keeper: @unchecked Sendable {
    private let lock = NSLock()
    private var actions: [@Sendable () -> Void] = []
    private var pipe: Int32 = -1
    private var shell: ChildProcess?

    init() {
        // A write to a process that has ended must be an error, not the end of the tests.
        signal(SIGPIPE, SIG_IGN)
        atexit { CrashCleanup.finish() }
        guard let ends = try? DescriptorPipe() else { return }
        shell = try? ChildProcess(
            "/bin/bash", ["-c", Keeper.script], stdin: .fd(ends.readEnd), isOwedToCleanup: false)
        close(ends.readEnd)
        pipe = ends.writeEnd
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
                4directory:/tmp/csd.*) rm -rf -- "$what" ;;
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
        _ = try? shell?.waitForExit(timeout: .seconds(30))
    }
}

extension CrashCleanup {
    /// The ordinary end of the process: everything owed is done before it returns.
    fileprivate static func finish() { keeper.finish() }
}
