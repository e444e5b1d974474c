import CLinux
import Foundation
import Glibc
import Testing

/// One line of the process table, read from /proc/PID/stat (proc_pid_stat(5)).
struct ProcessEntry: Hashable, Sendable {
    let pid: pid_t
    let parent: pid_t
    let group: pid_t
    /// `R`, `S`, `Z` …
    let state: Character
    /// The name, cut by the kernel to 15 bytes.
    let comm: String
    /// In clock ticks since boot: with the pid it names one process for good.
    let startTime: UInt64

    /// nil when there is no such process.
    init?(pid: pid_t) {
        guard let data = readProc("\(pid)/stat") else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        // The name may hold spaces and parentheses: only its last one ends it.
        guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 19, let parent = pid_t(fields[1]), let group = pid_t(fields[2]),
            let startTime = UInt64(fields[19])
        else { return nil }
        self.pid = pid
        self.parent = parent
        self.group = group
        self.startTime = startTime
        state = fields[0].first ?? "?"
        comm = String(text[text.index(after: open)..<close])
    }

    var isZombie: Bool { state == "Z" || state == "X" }

    /// Whether this very process, not a later one with its pid, still runs.
    var isAlive: Bool {
        guard let now = ProcessEntry(pid: pid) else { return false }
        return now.startTime == startTime && !now.isZombie
    }

    /// The arguments, empty for a zombie or kernel thread.
    var arguments: [String] { stringsOfProc("\(pid)/cmdline") }

    /// `NAME=value` strings as they were at `execve`; empty if not permitted.
    var environment: [String] { stringsOfProc("\(pid)/environ") }

    /// A field of /proc/PID/status, such as `Seccomp`, without the white space around it.
    func status(_ field: String) -> String? {
        guard let data = readProc("\(pid)/status") else { return nil }
        let line = String(decoding: data, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("\(field):") }
        return line.map { $0.dropFirst(field.count + 1).trimmingCharacters(in: .whitespaces) }
    }

    /// SIGKILL, if it still is this process.
    func killIfAlive() {
        if isAlive { kill(pid, SIGKILL) }
    }
}

/// The process table as it was at one moment.
struct ProcessTable: Sendable {
    let entries: [ProcessEntry]

    init() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        entries = names.compactMap { pid_t($0).flatMap { ProcessEntry(pid: $0) } }
    }

    /// Zombies included: one that stays is a child that its parent forgot to reap.
    func children(of pid: pid_t) -> [ProcessEntry] {
        entries.filter { $0.parent == pid }
    }

    /// Children, their children and so on; without zombies.
    func descendants(of pid: pid_t) -> [ProcessEntry] {
        let byParent = Dictionary(grouping: entries, by: \.parent)
        var found: [ProcessEntry] = []
        var open = [pid]
        while let next = open.popLast() {
            let children = byParent[next] ?? []
            found += children
            open += children.map(\.pid)
        }
        return found.filter { !$0.isZombie }
    }

    /// Without zombies.
    func processes(inGroup group: pid_t) -> [ProcessEntry] {
        entries.filter { $0.group == group && !$0.isZombie }
    }

    /// Processes that were started with `entry` (`NAME=value`) in their environment; without zombies.
    func processes(withEnvironment entry: String) -> [ProcessEntry] {
        entries.filter { !$0.isZombie && $0.environment.contains(entry) }
    }

    /// Processes whose real owner is this uid; without zombies.
    func processes(ofUID uid: uid_t) -> [ProcessEntry] {
        entries.filter { !$0.isZombie && $0.status("Uid")?.split(separator: "\t").first == "\(uid)" }
    }
}

/// Kills until none is left that `find` names: a process may fork between the look and the signal.
func killAll(_ what: String, _ find: (ProcessTable) -> [ProcessEntry]) throws {
    try waitUntil("\(what) killed") {
        let found = find(ProcessTable())
        for process in found { process.killIfAlive() }
        return found.isEmpty
    }
}

private func readProc(_ name: String) -> Data? {
    let fd = open("/proc/\(name)", O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    return try? FileHandle(fileDescriptor: fd, closeOnDealloc: true).readToEnd() ?? Data()
}

private func stringsOfProc(_ name: String) -> [String] {
    (readProc(name) ?? Data()).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
}
