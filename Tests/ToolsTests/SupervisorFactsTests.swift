import IPC
import Testing

@testable import Tools

/// The supervisor sends facts, and the worker words them.
@Suite("What the supervisor says, in words")
struct SupervisorFactsTests {
    @Test func `a client that had no place is told who has it, since when, and where`() {
        let sentence = ClientRefusal.occupied(socket: "/run/mcp.sock", pid: 100, seconds: 62, waited: 20).sentence
        #expect(sentence.hasPrefix("Another client is connected to /run/mcp.sock: process 100, for 62 s. "))
        #expect(sentence.contains("you have waited 20 s"))
    }

    @Test func `a client whose worker failed is told that nothing was run, and who can mend it`() {
        for failure in ProgramFailure.kinds {
            let sentence = ClientRefusal.noWorker(failure).sentence
            #expect(sentence.hasPrefix("claude-ssh-daemon cannot serve you now: "))
            #expect(sentence.contains(". Nothing was run. ") && sentence.contains("the daemon's log"))
        }
        let noSSH = ClientRefusal.noWorker(.ssh(path: "/opt/ssh", .unreachable(errno: 2))).sentence
        #expect(noSSH.contains("ssh_path: /opt/ssh cannot be executed: No such file or directory"))
    }

    @Test func `no two failures of a program read alike`() {
        for program in [ProgramFailure.Program.worker, .fileBroker] {
            let clauses = ProgramFailure.kinds.map { $0.clause(program) }
            #expect(Set(clauses).count == clauses.count)
        }
        let ends = ProcessEnd.kinds.map { ProgramFailure.ended($0).clause(.fileBroker) }
        #expect(Set(ends).count == ends.count)
    }

    @Test func `a forward that nothing is wrong with has no reason, and every trouble has one of its own`() {
        let troubles: [ForwardTrouble?] = [nil] + ForwardTrouble.allCases
        let reasons = troubles.map { trouble in
            ForwardEntry(
                forward: 7, host: "box", localPort: 20_000, remoteHost: "db", remotePort: 1, since: 0, trouble: trouble
            ).reason
        }
        #expect(reasons[0] == nil)
        #expect(Set(reasons).count == troubles.count)
        #expect(reasons.last??.contains("ssh_cancel_forward") == true)
    }
}
