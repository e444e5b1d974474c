import Foundation
import Glibc
import IPC
import Testing

@testable import Supervisor

/// Paths of ControlMaster sockets as ssh_config(5) has them.
@Suite("Tokens in socket paths")
struct SocketTokensTests {
    private static let machine = SocketTokens.Machine(
        hostName: "login3.cluster.example", userID: 1234, userName: "ann", home: "/home/ann")

    private static func load(_ socket: String, user: String = "bob", host: String = "Box.Example", port: Int? = nil)
        throws -> Config
    {
        let port = port.map { ", \"port\": \($0)" } ?? ""
        let json = """
            {"mcp_socket": "/m", "default_host": "a",
             "hosts": {"a": {"socket": "\(socket)", "user": "\(user)", "host": "\(host)"\(port)}}}
            """
        return try Config(json: Array(json.utf8), environment: environment, path: "p", machine: machine)
    }

    private static func mistakes(_ socket: String) -> [String] {
        do {
            _ = try load(socket)
            return []
        } catch {
            return (error as? ConfigError)?.mistakes ?? ["\(error)"]
        }
    }

    @Test(arguments: [
        ("/s/%h", "/s/box.example"), ("/s/%n", "/s/Box.Example"), ("/s/%k", "/s/Box.Example"), ("/s/%r", "/s/bob"),
        ("/s/%u", "/s/ann"), ("/s/%i", "/s/1234"), ("/s/%p", "/s/22"), ("/s/%L", "/s/login3"),
        ("/s/%l", "/s/login3.cluster.example"), ("%d/.ssh/cm", "/home/ann/.ssh/cm"), ("/s/100%%", "/s/100%"),
        ("~/cm-%r@%h:%p", "/home/ann/cm-bob@box.example:22"), ("/s/%%h", "/s/%h"), ("/s/%%%%C", "/s/%%C"),
    ])
    func `every token that can be known stands for what ssh takes it for`(written: String, path: String) throws {
        #expect(try Self.load(written).policy.hosts.first?.master.socket == path)
    }

    @Test func `the port of the config is in the path and in the policy`() throws {
        let host = try #require(try Self.load("/s/%p", port: 2222).policy.hosts.first)
        #expect(host.master.socket == "/s/2222" && host.port == 2222)
    }

    @Test(arguments: ["/s/%T", "/s/%f", "/s/%H", "/s/%j", "/s/%z", "/s/%é", "/s/%.sock", "/s/% x"])
    func `a token that cannot be known is refused by its name`(written: String) {
        let found = Self.mistakes(written)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("hosts.a.socket: contains ") == true, "\(found)")
        if written.last != "x" {
            let name = String(written.dropFirst(3).prefix(2))
            #expect(found.first?.contains("contains \(name), which cannot be known here") == true, "\(found)")
        }
    }

    @Test func `a lone percent sign at the end, and a variable of ssh's environment, are refused`() {
        #expect(Self.mistakes("/s/100%").first?.contains("single %") == true)
        #expect(Self.mistakes("/s/${HOME}/cm").first?.contains("${") == true)
        #expect(Self.mistakes("/s/$HOME/cm") == [])
    }

    @Test func `what this machine does not tell is refused`() {
        let unknown = SocketTokens(
            machine: SocketTokens.Machine(hostName: nil, userID: 1, userName: nil, home: nil),
            destination: SocketTokens.Destination(user: "u", host: "h", port: 22))
        for token in ["%C", "%L", "%l", "%u", "%d"] {
            #expect(throws: SocketTokens.Mistake.self, "\(token)") { _ = try unknown.expanded("/\(token)") }
        }
    }

    @Test func `the length is judged after expansion, in bytes`() throws {
        func path(_ count: Int) -> String { "/%h/" + String(repeating: "x", count: count - 13) }
        #expect(Self.mistakes(path(107)) == [])
        #expect(
            Self.mistakes(path(108)).first?.hasPrefix("hosts.a.socket: must be at most 107 bytes long, got 108") == true
        )
        #expect(Self.mistakes("/" + String(repeating: "%%", count: 106)) == [], "shorter than it is written")
        #expect(Self.mistakes("/" + String(repeating: "é", count: 54)).count == 1)
        #expect(try Self.load(path(90)).warnings == [])
        #expect(try Self.load(path(91)).warnings.first?.contains("ssh -M") == true)
    }

    @Test func `what is expanded is not expanded again`() throws {
        #expect(try Self.load("/s/%r", user: "%h").policy.hosts.first?.master.socket == "/s/%h")
    }

    /// The yardstick is the ssh of this machine: `ssh -G` prints the path that it would use.
    @Test(arguments: [
        "/s/%C", "/s/%r@%h:%p", "/s/%n-%k", "/s/%L-%l", "%d/%u-%i", "~/cm-%C", "/s/100%%-%C", "/s/%%%%h",
    ])
    func `this machine's ssh expands the same`(written: String) throws {
        let ssh = "/usr/bin/ssh"
        try #require(access(ssh, X_OK) == 0)
        let home = try #require(getpwuid(geteuid()).map { String(cString: $0.pointee.pw_dir) })
        for (host, port) in [("box", 22), ("Box.Example.ORG", 2222), ("10.0.0.1", 22)] {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: ssh)
            process.arguments = [
                "-F", "none", "-G", "-p", "\(port)", "-o", "ControlPath=\(written)", "-l", "bob", host,
            ]
            process.environment = ["HOME": home]
            let pipe = Foundation.Pipe()
            process.standardOutput = pipe
            process.standardError = FileHandle.nullDevice
            try process.run()
            let said = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            let line = said.split(separator: "\n").first { $0.hasPrefix("controlpath ") }
            let path = try #require(line).dropFirst("controlpath ".count)
            let json = """
                {"mcp_socket": "/m", "default_host": "a", "hosts": {"a":
                 {"socket": "\(written)", "user": "bob", "host": "\(host)", "port": \(port)}}}
                """
            let loaded = try Config(json: Array(json.utf8), environment: ["HOME": home], path: "p")
            #expect(loaded.policy.hosts.first?.master.socket == String(path), "\(host)")
        }
    }
}
