import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Temporary files of writes that never ended.
@Suite struct LeftoverTests {
    private static let writing: JSON = ["safeguards": ["allow_overwrite": true]]

    @Test(
        "what a write of long ago left behind is removed by the next one there, and nothing else",
        arguments: FileTransport.all)
    func leftovers(over transport: FileTransport) throws {
        let place = try Place()
        let old = [".old.claude-ssh-3w5e11264sgsf.tmp", ".a b\n.claude-ssh-0.tmp"]
        let kept = [
            ".old.3w5e11264sgsf.tmp", "old.claude-ssh-1.tmp", ".old.claude-ssh-1.tmp.x", ".old.claude-ssh-.tmp",
            ".old.claude-ssh-3W.tmp", ".old.claude-ssh-33w5e11264sgsff.tmp",
        ]
        for name in old + kept {
            try place.write(name, "a part")
            try runSuccessfully(findProgram("touch"), ["-d", "2 hours ago", place.file(name)])
        }
        try place.write(".new.claude-ssh-1.tmp", "a part that is being written")
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            let written = try client.callTool("ssh_write_file", ["path": .string(place.file("f")), "content": "x"])
            #expect(written["written"] == true, "\(written)")
            try waitUntil("what was left behind is removed") {
                Set(try place.names) == Set(kept + [".new.claude-ssh-1.tmp", "f"])
            }
            for name in old {
                try place.write(name, "a part")
                try runSuccessfully(findProgram("touch"), ["-d", "2 hours ago", place.file(name)])
            }
            let again = try client.callTool("ssh_write_file", ["path": .string(place.file("f")), "content": "y"])
            #expect(again["method"] == "replaced", "\(again)")
            try waitUntil("what was left behind is removed again") {
                Set(try place.names) == Set(kept + [".new.claude-ssh-1.tmp", "f"])
            }
        }
    }
}
