internal import CLinux
internal import Glibc
internal import IPC
internal import Supervisor

/// Has a child process do the steps of a check, and prints what it tells. A step that takes too long is told and left out: another
/// child goes on behind it. What the kernel does not let die is not waited for.
struct CheckRun {
    /// How long all of it may take, in milliseconds.
    private static let patience = 120_000
    /// The longest line of a child that is read.
    private static let longestLine = 1 << 20

    private enum End {
        /// The child has done all.
        case done
        /// The step of this number did not end in time.
        case late(Int)
        /// The child ended in the middle of the step of this number.
        case failed(Int, status: Int32)
    }

    private struct Step {
        var number = 0
        var key = ""
        var path = ""
        var seconds = 10
    }

    /// As it was written on the command line.
    private let config: String
    private var step = Step()
    private var path: String
    private var errors = 0
    private var hosts: Int?

    init(config: String) {
        self.config = config
        path = config
    }

    /// Checks, and prints.
    /// - Returns: whether a daemon would start.
    mutating func succeeds() -> Bool {
        let deadline = Self.now() + Self.patience
        var first = 0
        var reached = 0
        steps: while true {
            switch perform(from: first) {
            case .done: break steps
            case .late(let number):
                say("error: \(place)no answer in \(step.seconds) s, \(late)")
                reached = number
            case .failed(let number, let status):
                say(
                    "error: \(place)could not be looked at: the process that did it ended (status \(status)); run the check again"
                )
                reached = number
            }
            // Every process reads the config first. Where that fails, there is nothing behind it.
            guard reached >= max(first, 1) else { break }
            first = reached + 1
            guard Self.now() < deadline else {
                say("error: the rest was not looked at, because too much does not answer; mend that first")
                break
            }
        }
        if let hosts, errors == 0 {
            print("\(shownPath): usable, \(hosts) host\(hosts == 1 ? "" : "s")")
            return true
        }
        print("\(shownPath): not usable, \(errors) error\(errors == 1 ? "" : "s")")
        return false
    }

    private var shownPath: String { LogText.shown(path) }

    private var place: String {
        let parts = [step.key, step.path].filter { !$0.isEmpty }
        return parts.isEmpty ? "" : parts.joined(separator: ": ") + ": "
    }

    /// What follows from a step that did not end in time.
    private var late: String {
        "and a start may wait for it as long: its file system may hang"
            + (Mounts.point(of: step.path).map {
                ". It is mounted at \($0): mend that, name another place, or run: umount -l "
                    + ShellWord.quoted($0)
            } ?? "")
    }

    private mutating func say(_ line: String) {
        if line.hasPrefix("error: ") { errors += 1 }
        print(line)
        fflush(nil)
    }

    // MARK: The child

    private mutating func perform(from first: Int) -> End {
        step = Step()
        step.path = path
        guard let (pid, output) = Self.start(["check", "--config", config, "--step", "\(first)"]) else {
            return .failed(first, status: errno)
        }
        var pending: [UInt8] = []
        var deadline = Self.now() + step.seconds * 1000
        while true {
            var waiting = pollfd(fd: output.rawValue, events: Int16(POLLIN), revents: 0)
            let left = deadline - Self.now()
            guard left > 0, uninterrupted({ poll(&waiting, 1, Int32(clamping: left)) }) > 0 else {
                if left > 0 { continue }
                kill(pid, SIGKILL)
                return .late(step.number)
            }
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = uninterrupted { read(output.rawValue, &bytes, bytes.count) }
            guard count > 0, pending.count < Self.longestLine else { break }
            pending += bytes[..<count]
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                guard let word = CheckWord(line: line) else { continue }
                if case .step(let number, let seconds, let key, let path) = word {
                    step = Step(number: number, key: key, path: path, seconds: seconds)
                    if number == 0 { self.path = path }
                    deadline = Self.now() + seconds * 1000
                }
                take(word)
            }
        }
        var status: Int32 = 0
        _ = uninterrupted { waitpid(pid, &status, 0) }
        return status == 0 ? .done : .failed(step.number, status: status)
    }

    private mutating func take(_ word: CheckWord) {
        switch word {
        case .step: break
        case .found(let line): say(line)
        case .done(let count): hosts = count
        }
    }

    /// Starts this program once more, with its environment.
    /// - Returns: its process id, and its standard output.
    private static func start(_ words: [String]) -> (pid: pid_t, output: SharedFD)? {
        var reading: Int32 = -1
        var writing: Int32 = -1
        guard csd_pipe(&reading, &writing) == 0 else { return nil }
        let output = SharedFD(OwnedFD(taking: reading))
        defer { close(writing) }
        // A child that cannot die keeps none of this process's descriptors, whose other ends somebody may read to their end.
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(nothing) }
        // Their numbers must be above those that they become.
        let null = fcntl(nothing, F_DUPFD_CLOEXEC, 16)
        let high = fcntl(writing, F_DUPFD_CLOEXEC, 16)
        defer { for number in [null, high] { close(number) } }
        guard null >= 0, high >= 0 else { return nil }
        let arguments = (["claude-ssh-daemon"] + words).map { (word: String) in strdup(word) } + [nil]
        defer { for pointer in arguments { free(pointer) } }
        var pid: pid_t = 0
        let refused = csd_spawn(&pid, "/proc/self/exe", arguments, environ, [null, high, null], 3, 0)
        guard refused == 0 else {
            errno = refused
            return nil
        }
        return (pid, output)
    }

    private static func now() -> Int {
        var clock = timespec()
        clock_gettime(CLOCK_MONOTONIC, &clock)
        return clock.tv_sec * 1000 + clock.tv_nsec / 1_000_000
    }
}
