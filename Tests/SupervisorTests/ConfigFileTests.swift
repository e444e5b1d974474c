import Glibc
import IPC
import TestSupport
import Testing

@testable import Supervisor

@Suite("Config file")
struct ConfigFileTests {
    private static let good = #"{"mcp_socket": "/tmp/m", "ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h"}"#

    private func refusal(_ path: String) -> [String] {
        do throws(ConfigError) {
            _ = try ConfigFile.load(path, environment: [:])
            return []
        } catch {
            #expect(error.path == path)
            return error.mistakes
        }
    }

    @Test(arguments: [0o600, 0o400, 0o644, 0o755] as [mode_t])
    func `the user's own file loads, others may read it`(mode: mode_t) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("config.json", Self.good, mode: mode)
        #expect(try ConfigFile.load(path, environment: [:]).mcpSocket == "/tmp/m")
    }

    @Test(arguments: [0o620, 0o602, 0o666, 0o660] as [mode_t])
    func `a file that others can write is refused, with the command that mends it`(mode: mode_t) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("config.json", Self.good, mode: mode)
        #expect(refusal(path) == ["must not be writable by others; run: chmod go-w \(path)"])
    }

    @Test(.enabled(if: isRoot, "only root can be another user"))
    func `another user's file is refused`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("config.json", Self.good)
        #expect(chown(path, stranger, stranger) == 0)
        #expect(refusal(path) == ["must belong to uid 0, not 65534; run: sudo chown 0 \(path)"])
    }

    @Test(.enabled(if: !isRoot, "root owns what would be another user's"))
    func `root's file is refused to a user who is not root`() {
        #expect(
            refusal("/etc/passwd") == [
                "must belong to uid \(geteuid()), not 0; run: sudo chown \(geteuid()) /etc/passwd"
            ])
    }

    @Test func `a missing file says how to get one`() throws {
        let directory = try TemporaryDirectory()
        let found = refusal(directory.file("none.json"))
        #expect(
            found == [
                "cannot be opened: No such file or directory; write one as the README shows, or name it with --config"
            ])
    }

    @Test func `what is no file is refused, and does not hang`() throws {
        let directory = try TemporaryDirectory()
        #expect(refusal(directory.path) == ["is not a regular file; name the config with --config"])
        #expect(refusal("/dev/zero") == ["is not a regular file; name the config with --config"])
        let pipe = directory.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(refusal(pipe) == ["is not a regular file; name the config with --config"])
        #expect(refusal(directory.file("config.json/x")).first?.hasPrefix("cannot be opened: ") == true)
    }

    @Test func `a link to the user's own file is followed, and the file judged`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("real.json", Self.good)
        #expect(symlink(path, directory.file("link.json")) == 0)
        #expect(refusal(directory.file("link.json")) == [])
        chmod(path, 0o666)
        #expect(refusal(directory.file("link.json")).count == 1)
        #expect(symlink(directory.file("nowhere"), directory.file("dangling")) == 0)
        #expect(refusal(directory.file("dangling")).first?.contains("No such file") == true)
    }

    @Test func `a directory in which others could put another file there is refused, also behind a link`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("config.json", Self.good)
        let elsewhere = try TemporaryDirectory()
        #expect(symlink(path, elsewhere.file("link.json")) == 0)
        for (mode, isGood) in [(0o700, true), (0o755, true), (0o1777, true), (0o770, false), (0o777, false)]
            as [(mode_t, Bool)]
        {
            chmod(directory.path, mode)
            for found in [refusal(path), refusal(elsewhere.file("link.json"))] {
                #expect(found.isEmpty == isGood, "\(String(mode, radix: 8))")
                if !isGood {
                    #expect(
                        found.first?.hasPrefix("its directory, \(directory.path), can be written by others") == true)
                    #expect(found.first?.hasSuffix("run: chmod go-w \(directory.path)") == true)
                }
            }
        }
    }

    @Test func `an empty file and a broken one are told from each other by their text`() throws {
        let directory = try TemporaryDirectory()
        #expect(refusal(try directory.write("empty", "")).first?.hasPrefix("not valid JSON: ") == true)
        #expect(refusal(try directory.write("array", "[1]")) == ["must be a JSON object, got an array"])
        #expect(
            refusal(try directory.write("two", #"{"limits": 1}"#)).contains("limits: must be an object, got a number"))
    }

    @Test func `a file over 16 MiB is not read`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("big", "{}")
        #expect(truncate(path, (16 << 20) + 1) == 0)
        #expect(refusal(path) == ["is larger than 16777216 bytes"])
    }

    @Test func `a config of 5,000 hosts loads`() throws {
        let directory = try TemporaryDirectory()
        let hosts = (0..<5000).map { #""h\#($0)": {"socket": "/s\#($0)", "user": "u", "host": "h\#($0)"}"# }
        let json = #"{"mcp_socket": "/m", "default_host": "h0", "hosts": {\#(hosts.joined(separator: ","))}}"#
        let loaded = try ConfigFile.load(try directory.write("config.json", json), environment: [:])
        #expect(loaded.policy.hosts.count == 5000)
    }
}
