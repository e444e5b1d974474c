import Foundation
import Glibc
import TestSupport
import Testing

/// What README tells somebody who sets the daemon up, done with the files that it names.
@Suite struct NewcomerTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// A home of its own, with a runtime directory.
    private static func environment(_ home: TemporaryDirectory, configHome: String?) -> [String: String] {
        var environment = ChildProcess.plainEnvironment.merging(["HOME": home.path, "XDG_RUNTIME_DIR": home.path]) {
            $1
        }
        environment["XDG_CONFIG_HOME"] = configHome
        return environment
    }

    /// Where `install -D` puts a config in README's quick start.
    private static func install(_ name: String, in directory: String) throws {
        try runSuccessfully(
            "/usr/bin/install",
            ["-D", "-m", "600", "\(root)/contrib/\(name)", "\(directory)/claude-ssh-daemon/config.json"])
    }

    private static func start(_ environment: [String: String], log: String) throws -> ChildProcess {
        let daemon = try ChildProcess(
            "\(BuiltBinaries.folder())/\(BuiltBinaries.daemonName)", [], environment: environment, stderr: .file(log))
        try waitUntil("listening") { try String(contentsOfFile: log, encoding: .utf8).contains("listening") }
        return daemon
    }

    @Test(
        "each config that we ship passes check and starts as it is, from the place where README puts it",
        arguments: ["config.full.json", "config.multi-host.json", "config.single-host.json"])
    func shipped(name: String) throws {
        let home = try TemporaryDirectory()
        var places: [(variable: String?, directory: String)] = [(home.file("cfg"), home.file("cfg"))]
        if name == "config.full.json" {
            for variable in [nil, "", "relative"] as [String?] { places.append((variable, home.file(".config"))) }
        }
        for (variable, directory) in places {
            try Self.install(name, in: directory)
            let environment = Self.environment(home, configHome: variable)
            let checked = try run(
                "\(BuiltBinaries.folder())/\(BuiltBinaries.daemonName)", ["check"], environment: environment)
            #expect(checked.succeeded, "\(variable ?? "unset"): \(checked.outputText)")
            #expect(checked.outputText.contains("\(directory)/claude-ssh-daemon/config.json"))
            let log = home.file("log")
            let daemon = try Self.start(environment, log: log)
            daemon.signal(SIGTERM)
            #expect(try daemon.waitForExit() == .exited(0))
            try runSuccessfully("/bin/rm", ["-rf", directory, log])
        }
    }

    @Test("the help tells the default place of the config, and a config that is missing is named with what to do")
    func missing() throws {
        let home = try TemporaryDirectory()
        let environment = Self.environment(home, configHome: home.file("cfg"))
        let program = "\(try BuiltBinaries.folder())/\(BuiltBinaries.daemonName)"
        for arguments in [["--help"], ["check", "--help"]] {
            let help = try run(program, arguments, environment: environment).outputText
                .split { " \n".contains($0) }.joined(separator: " ")
            #expect(help.contains("in $XDG_CONFIG_HOME, else ~/.config. (default: "), "\(help)")
            #expect(help.contains("\(home.file("cfg"))/claude-ssh-daemon/config.json)"), "\(help)")
        }
        for arguments in [[], ["check"]] {
            let result = try run(program, arguments, environment: environment)
            #expect(result.status == .exited(2))
            let said = result.outputText + result.errorText
            #expect(
                said.contains("cannot be opened: No such file or directory; write one as the README shows"), "\(said)")
        }
    }

    /// The server of README's `.mcp.json`, with its variables put in as Claude Code does.
    private static func bridge(_ environment: [String: String]) throws -> [String] {
        let readme = try String(contentsOfFile: "\(root)/README.md", encoding: .utf8)
        let start = try #require(readme.firstRange(of: "{\n     \"mcpServers\""))
        let end = try #require(readme[start.lowerBound...].firstRange(of: "```"))
        let json = try JSON(parsing: Data(readme[start.lowerBound..<end.lowerBound].utf8))
        let server = try #require(json["mcpServers"]?["claude-ssh-daemon"])
        let words = [try #require(server["command"]?.string)] + (server["args"]?.array ?? []).compactMap(\.string)
        return words.map { word in environment.reduce(word) { $0.replacing("${\($1.key)}", with: $1.value) } }
    }

    @Test("README's .mcp.json leads to the daemon, and its socat ends with the daemon, so that clients see it")
    func bridge() throws {
        let remote = try Remote.shared()
        let daemon = try RunningDaemon(
            config: remote.config(["mcp_socket": "$XDG_RUNTIME_DIR/claude-ssh-daemon.sock"]), remote: remote)
        defer { daemon.stop() }
        let words = try Self.bridge(["XDG_RUNTIME_DIR": daemon.runtimeDirectory])
        #expect(words.allSatisfy { !$0.contains("$") }, "\(words)")
        let place = try TemporaryDirectory()
        // The pipe stays open, so that nothing but the daemon's end ends the bridge.
        let script = #"""
            cd "$1" && shift && mkfifo in out && { "$@" <in >out & } && exec 3>in 4<out
            printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"ping"}' >&3
            head -n 1 <&4 >answer && mv answer answered && wait
            """#
        let client = try ChildProcess("/bin/sh", ["-c", script, "sh", place.path] + words)
        defer { client.stop() }
        try waitUntil("an answer") { access(place.file("answered"), F_OK) == 0 }
        let answer = try JSON(parsing: Data(contentsOf: URL(filePath: place.file("answered"))))
        #expect(answer["id"] == 1 && answer["result"] != nil)
        #expect(try daemon.terminate() == .exited(0))
        try client.waitForExit()
    }

    @Test("the shared libraries that the programs need are in README, each with its package")
    func libraries() throws {
        let readme = try String(contentsOfFile: "\(Self.root)/README.md", encoding: .utf8)
        let start = try #require(readme.firstRange(of: "### Runtime libraries\n"))
        let rows = readme[start.upperBound...].prefix { $0 != "#" }.split(separator: "\n").filter {
            $0.hasPrefix("| `")
        }
        let base = ["libc.", "libm.", "libstdc++.", "libgcc_s.", "ld-linux", "linux-vdso"]
        // Linked in for release.
        let swift = ["libswift", "lib_", "libFoundation", "libdispatch", "libBlocksRuntime", "lib_Foundation"]
        let programs = ["daemon": "daemon", "gate": "gate", "worker": "worker", "files": "file broker"]
        for (program, name) in programs {
            let folder = try BuiltBinaries.folder()
            let listed = try runSuccessfully("/usr/bin/ldd", ["\(folder)/claude-ssh-\(program)"]).outputText
            let needed = listed.split(separator: "\n").map { $0.drop { " \t".contains($0) } }
                .compactMap { $0.split(separator: " ").first }.map { $0.split(separator: "/").last ?? $0 }
                .filter { library in !(base + swift).contains { library.hasPrefix($0) } }
            for library in needed {
                let stem = String(library.split(separator: ".so")[0]) + ".so"
                #expect(rows.contains { $0.contains("`\(stem)") && $0.contains(name) }, "\(program): \(library)")
            }
        }
    }
}
