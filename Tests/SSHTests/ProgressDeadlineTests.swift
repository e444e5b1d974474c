import SSH
import Testing

/// The one deadline that all work on a host has.
@Suite("The deadline for progress")
struct ProgressDeadlineTests {
    @Test func `a host that moves nothing is given up when the patience is spent`() {
        var deadline = ProgressDeadline(.seconds(20))
        deadline.spend(.seconds(19))
        #expect(!deadline.isOver)
        deadline.spend(.seconds(1))
        #expect(deadline.isOver)
    }

    @Test func `a drip buys no more time than its bytes are worth`() {
        var deadline = ProgressDeadline(.seconds(20))
        var waited = 0
        while !deadline.isOver {
            deadline.spend(.seconds(1), moved: 100)
            waited += 1
        }
        #expect(waited == 22)
    }

    @Test func `a slow line that keeps the rate has no end, and what was fast before is no store for later`() {
        var deadline = ProgressDeadline(.seconds(20))
        for _ in 0..<10_000 { deadline.spend(.seconds(10), moved: 10 * ProgressDeadline.slowest) }
        #expect(!deadline.isOver)
        deadline.spend(.zero, moved: 1 << 40)
        #expect(deadline.left == .seconds(20))
    }

    @Test func `a long wait for many bytes is judged with those bytes`() {
        var deadline = ProgressDeadline(.seconds(20))
        deadline.spend(.seconds(100), moved: 255 << 10)
        #expect(!deadline.isOver)
    }

    @Test(arguments: [(0, 0), (1, 0), (2048, 1000), (3072, 1500), (.max, .max)])
    func `bytes are worth time, and no number of them overflows`(bytes: Int, milliseconds: Int) {
        let worth = ProgressDeadline.worth(of: bytes)
        if milliseconds == .max {
            #expect(worth > .seconds(1 << 50))
        } else {
            #expect(worth == .milliseconds(milliseconds))
        }
    }
}
