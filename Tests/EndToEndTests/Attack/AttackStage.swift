import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// A daemon whose workers are puppets where a test wants it, on a host of its own, and the clients beside them that are to take no
/// harm.
final class AttackStage {
    let remote: Remote
    let trail: AuditTrail
    let place: Place
    let daemon: RunningDaemon
    let overrides: JSON
    private let workers: FakeWorkers
    private let puppets: PuppetMaster
    private let log: LogTail
    /// What there is when nobody is connected.
    private var descriptorsAtRest: [String] = []
    private var sessionsAtRest = 0

    /// - Parameter config: a patch of the usual one.
    init(_ config: JSON = [:], environment: [String: String] = [:]) throws {
        remote = try Remote(PrivateSSHD.Options(maxSessions: 500))
        trail = try AuditTrail()
        place = try Place()
        workers = try FakeWorkers([])
        puppets = try PuppetMaster(workers)
        overrides = trail.config.merging(["client_wait_seconds": 600]).merging(config)
        var options = workers.options
        options.environment = environment
        daemon = try remote.startDaemon(overrides, options)
        log = LogTail(daemon.logFile)
        let client = try daemon.connect()
        _ = try client.callTool("ssh_connection_status")
        client.closeAbruptly()
        try waitUntil("nobody to be left") { children.isEmpty }
        descriptorsAtRest = descriptors
        sessionsAtRest = remote.sshd.serving().count
    }

    func stop() {
        daemon.stop()
        remote.stop()
    }

    /// A connection whose worker is a puppet that has said nothing yet.
    func puppet() throws -> Puppet {
        try workers.behave(["puppet"])
        let client = try daemon.connect(initialize: false)
        _ = try client.begin("ping")
        return try puppets.next(client)
    }

    /// Has a puppet take the place and attack, while an honest client is in line with a call that is held.
    /// - Returns: what `attack` saw; and what is not as it must be afterwards: the client in line is answered meanwhile, its call is
    ///   done when the puppet has ended, and nothing is left.
    func hijack(takesPlace: Bool = true, _ attack: (Puppet) throws -> String) throws -> String {
        let puppet = try puppet()
        let bystander = try daemon.connect()
        let held = try bystander.beginTool("ssh_connection_status")
        if takesPlace { try puppet.takePlace() }
        var seen: String
        do { seen = try attack(puppet) } catch { seen = "failed: \(error)" }
        if try bystander.request("ping")["result"] != [:] { seen += "; the client in line is not answered" }
        puppet.leave()
        puppet.client.closeAbruptly()
        let next = try held.waitForTool(timeout: .seconds(60))
        if next["hosts"]?.array?.first?["connected"] != true { seen += "; the next client is not served: \(next)" }
        bystander.closeAbruptly()
        return seen + aftermath()
    }

    /// What is left of those who have gone, in words; nothing where it is nothing.
    func aftermath() -> String {
        func wait(_ text: @autoclosure () -> String, _ condition: () -> Bool) -> String {
            comesToHold(condition) ? "" : "; \(text())"
        }
        return wait("processes are left") { children.isEmpty }
            + wait("descriptors of the daemon are left: \(descriptors.sorted()) of \(descriptorsAtRest.sorted())") {
                descriptors.count <= descriptorsAtRest.count
            }
            + (daemon.status == nil ? "" : "; THE DAEMON HAS ENDED")
    }

    /// The same of sessions on the host.
    func sessionsLeft() -> String {
        comesToHold { remote.sshd.serving().count <= sessionsAtRest } ? "none" : "some"
    }

    /// Whether the puppet still serves its client, after all that it has said is heard; or how it was ended.
    func verdict(_ puppet: Puppet) throws -> String {
        if try puppet.settleSupervisor(), let gate = puppet.gate {
            let id = puppet.newRequest()
            try gate.say(GateRequest.alive(host: "box"), id)
            let deadline = Deadline(in: .seconds(30))
            while !deadline.hasPassed {
                if let how = log.end(of: puppet.pid) { return "ended: \(how)" }
                if gate.waits(5) {
                    guard let (packet, _) = try gate.receive() else { break }
                    if try GateAnswer.decode(packet[...]).requestID == id { return "lives" }
                }
            }
        }
        return "ended: \(try end(of: puppet))"
    }

    /// How the puppet was ended, waiting for that.
    func end(of puppet: Puppet) throws -> String {
        try waitFor("the end of the puppet", timeout: .seconds(40)) { log.end(of: puppet.pid) }
    }

    /// A new config, and that it is in force.
    func reload(_ patch: JSON) throws {
        let before = daemon.logCount(of: "\"config reloaded\"")
        try daemon.rewriteConfig(
            remote.config(overrides.merging(patch).merging(["mcp_socket": .string(daemon.socketPath)])))
        daemon.signal(SIGHUP)
        try waitUntil("the reload") { daemon.logCount(of: "\"config reloaded\"") > before }
    }

    /// The daemon's children, zombies included.
    var children: [pid_t] {
        let path = "/proc/\(daemon.pid)/task/\(daemon.pid)/children"
        return ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: " ").compactMap {
            pid_t($0)
        }
    }

    /// What the daemon has open, but for the policy of file brokers, which it makes when the first one is asked for.
    private var descriptors: [String] {
        let folder = "/proc/\(daemon.pid)/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)") }
            .filter { !$0.hasPrefix("/memfd:file-policy") }
    }
}

/// Reads how workers end out of a daemon's log, and no line twice.
final class LogTail {
    private let path: String
    private var offset: UInt64 = 0
    private var ends: [pid_t: String] = [:]

    init(_ path: String) {
        self.path = path
    }

    /// How the worker with this pid ended; nil where it has not.
    func end(of pid: pid_t) -> String? {
        read()
        return ends[pid]
    }

    private func read() {
        guard let file = FileHandle(forReadingAtPath: path) else { return }
        try? file.seek(toOffset: offset)
        guard let new = try? file.readToEnd(), let last = new.lastIndex(of: UInt8(ascii: "\n")) else { return }
        offset += UInt64(last + 1 - new.startIndex)
        for line in new[..<last].split(separator: UInt8(ascii: "\n")) {
            guard line.range(of: Data("\"worker ended\"".utf8)) != nil, let record = try? JSON(parsing: Data(line)),
                let pid = record["worker_pid"]?.int, let how = record["how"]?.string
            else { continue }
            ends[pid_t(pid)] = how.hasPrefix("killed: ") ? String(how.dropFirst("killed: ".count)) : how
        }
    }
}
