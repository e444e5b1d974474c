import Testing

@testable import Supervisor

@Suite("Allowance")
struct AllowanceTests {
    @Test func `it is full at first, fills with time, and never over its brim`() {
        var allowance = Allowance(burst: 100, perSecond: 10, now: 0)
        allowance.spend(100, now: 0)
        #expect(allowance.hasLeft(now: 99) == false)
        #expect(allowance.hasLeft(now: 100) == true)
        allowance.spend(1, now: 100)
        #expect(allowance.hasLeft(now: 100) == false)
        #expect(allowance.hasLeft(now: 3_600_000) == true)
        allowance.spend(101, now: 3_600_000)
        #expect(allowance.hasLeft(now: 3_600_100) == false)
    }

    @Test func `small steps of time earn as much as large ones`() {
        var allowance = Allowance(burst: 1000, perSecond: 10, now: 0)
        allowance.spend(1000, now: 0)
        for now in 1...1000 { _ = allowance.hasLeft(now: now) }
        allowance.spend(9, now: 1000)
        #expect(allowance.hasLeft(now: 1000) == true)
        allowance.spend(1, now: 1000)
        #expect(allowance.hasLeft(now: 1000) == false)
    }

    @Test func `a debt is paid in time`() {
        var allowance = Allowance(burst: 100, perSecond: 10, now: 0)
        allowance.spend(100, now: 0)
        #expect(allowance.paid(now: 0) == nil)
        allowance.spend(25, now: 0)
        #expect(allowance.paid(now: 0) == 2_500)
        #expect(allowance.paid(now: 2_500) == nil)
    }
}
