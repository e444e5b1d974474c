import Testing

@testable import Supervisor

@Suite("A worker's share of the log")
struct LogShareTests {
    /// What was written.
    private final class Written {
        var lines: [String] = []
        var size: Int { lines.reduce(0) { $0 + $1.utf8.count } }
    }

    private func share(_ written: Written) -> LogShare {
        LogShare(connection: 9, now: 0, sink: { written.lines.append($0) })
    }

    @Test func `whatever it is, all of it comes out of one allowance`() {
        let written = Written()
        let share = share(written)
        let text = String(repeating: "x", count: 4_000)
        for _ in 0..<5_000 {
            share.write(.warning, "worker said", ["text": .text(text)], now: 0)
            share.write(.info, "call begins", members: "\"what\":\"\(text)\"", now: 0)
        }
        #expect(written.size >= LogShare.burst && written.size < LogShare.burst + 5_000)
        // And it stays so: what comes back with time is little.
        for now in 0..<5_000 { share.write(.info, "call", members: "\"what\":\"\(text)\"", now: now) }
        #expect(written.size < LogShare.burst + 5 * LogShare.perSecond + 10_000)
    }

    @Test func `what is left out is counted, in the next line that has room or at the end`() {
        let written = Written()
        let share = share(written)
        share.write(.info, "large", members: "\"what\":\"\(String(repeating: "x", count: LogShare.burst))\"", now: 0)
        for _ in 0..<3 { share.write(.info, "lost", now: 0) }
        #expect(written.lines.count == 1)
        share.write(.info, "later", now: 1_000)
        #expect(written.lines.count == 3)
        #expect(written.lines[1].hasSuffix(#""connection":9,"count":3}"# + "\n"))
        #expect(written.lines[2].contains("later"))
        share.close()
        #expect(written.lines.count == 3, "nothing was lost since")
        share.write(
            .info, "large", members: "\"what\":\"\(String(repeating: "x", count: LogShare.burst))\"", now: 1_000)
        share.write(.info, "lost", now: 1_000)
        share.close()
        #expect(written.lines.last?.contains(#""count":1}"#) == true)
    }
}
