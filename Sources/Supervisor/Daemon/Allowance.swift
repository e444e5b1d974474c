/// An amount that one worker may use up, and that comes back with time. Times are in milliseconds of a steady clock.
struct Allowance {
    /// The most that is ever there. At first all of it is.
    let burst: Int
    /// How much comes back in a second.
    let perSecond: Int
    private var left: Int
    private var since: Int

    init(burst: Int, perSecond: Int, now: Int) {
        self.burst = burst
        self.perSecond = perSecond
        left = burst
        since = now
    }

    /// Whether something is left.
    mutating func hasLeft(now: Int) -> Bool {
        refill(now)
        return left > 0
    }

    /// Uses up an amount. If less is left, the rest is a debt.
    mutating func spend(_ amount: Int, now: Int) {
        refill(now)
        left -= amount
    }

    /// When a debt will be paid; nil if there is none.
    mutating func paid(now: Int) -> Int? {
        refill(now)
        return left >= 0 ? nil : now + (-left * 1000 + perSecond - 1) / perSecond
    }

    private mutating func refill(_ now: Int) {
        let earned = max(0, now - since) * perSecond / 1000
        guard earned > 0 else { return }
        left = min(burst, left + earned)
        since = now
    }
}
