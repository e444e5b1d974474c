import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Commands that look for processes by a word of theirs.
@Suite struct OwnWordsTests {
    @Test("pkill and pgrep with a word find what they find over plain ssh, and not the call that they are in")
    func ownWords() throws {
        try withDaemon { _, client in
            let word = "word\(UInt32.random(in: 1_000_000...9_999_999))"
            func run(_ command: String, _ environment: JSON = [:]) throws -> ToolResult {
                try client.callTool("ssh_exec", ["command": .string(command), "env": environment])
            }
            // A word in its variables as well: none of them is anybody's argument. A login shell such as dash, which waits for its
            // last program, has the word in its own arguments over plain ssh too; hence `exec`.
            let alone = try run("exec pgrep -f \(word)", ["WORD": .string(word)])
            #expect(alone["stdout"] == "" && alone["exit_code"] == 1, "\(alone)")
            let started = try run("/bin/sh -c 'sleep 300; : \(word)' </dev/null >/dev/null 2>&1 & echo $!")
            let id = try #require(started["stdout"]?.string)
            let found = try run("exec pgrep -f \(word)")
            #expect(found["stdout"] == .string(id) && found["exit_code"] == 0, "\(found) \(started)")
            let killed = try run("exec pkill -f \(word)")
            #expect(killed["exit_code"] == 0 && killed["signal"] == nil && killed["timed_out"] == false, "\(killed)")
            let gone = try run("exec pkill -f \(word)")
            #expect(gone["exit_code"] == 1 && gone["signal"] == nil, "\(gone)")
        }
    }
}
