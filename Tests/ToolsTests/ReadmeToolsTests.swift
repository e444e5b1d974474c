import FoundationEssentials
import IPC
import JSON
import MCP
import Testing

@testable import Tools

/// README's table of tools says what `tools/list` says.
@Suite("README's tools")
struct ReadmeToolsTests {
    @Test func `every tool, argument and key of a result is in README, and no tool that is not there`() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let readme = String(decoding: try Data(contentsOf: URL(filePath: "/\(root)/README.md")), as: UTF8.self)
        let start = try #require(readme.firstRange(of: "\n## Tools\n")).upperBound
        let end = try #require(readme[start...].firstRange(of: "\n## ")).lowerBound
        let tools = readme[start..<end]
        var capabilities = PolicySnapshot.Capabilities()
        capabilities.exec = true
        capabilities.fileRead = true
        capabilities.fileWrite = true
        capabilities.portForward = true
        let host = PolicySnapshot.Host(
            name: "a", socket: "/run/a.sock", user: "u", host: "h", baseDir: nil, execAllowlist: nil,
            capabilities: capabilities)
        let offered = Toolbox(
            policy: PolicySnapshot(hosts: [host], defaultHost: "a", sshPath: "/nonexistent/ssh"),
            broker: NoLocalFiles(),
            audit: RecordingTrail(), gate: LivingMasters()
        ).tools
        for tool in offered {
            #expect(tools.contains("`\(tool.name)`"), "\(tool.name)")
            for schema in [tool.inputSchema, tool.outputSchema] {
                for name in schema["properties"]?.object?.members.map(\.name) ?? [] {
                    #expect(tools.contains("`\(name)`"), "\(tool.name): \(name)")
                }
            }
        }
        let rows = tools.split(separator: "\n").filter { $0.hasPrefix("| `ssh_") }.flatMap { row in
            row.split(separator: "|")[0].split(separator: "`").filter { $0.hasPrefix("ssh_") }
        }
        #expect(Set(rows.map(String.init)) == Set(offered.map(\.name)))
    }
}
