"""RIAL and DIAL once more, as plainly as possible: torch's own cells, one episode, one day and one prisoner at a time."""

import torch
from torch import nn


def cells_of(parameters, m):
    """Network m as torch's own layers, whose gradients can be read off."""
    w, b, u, c, v, d = (p[m].detach() for p in parameters)
    cell, last = nn.GRUCell(w.shape[0], u.shape[0]), nn.Linear(*v.shape)
    with torch.no_grad():
        for mine, value in zip(cell.parameters(), (w.T, u.T, b[0], c[0])):
            mine.copy_(value)
        last.weight.copy_(v.T)
        last.bias.copy_(d[0])
    return cell, last


def gradients_of(cell, last):
    """Gradients in the order and shapes of ``init_gru``'s parameters, network axis left out."""
    of_w, of_u, of_b, of_c = (p.grad for p in cell.parameters())
    return [of_w.T, of_b[None], of_u.T, of_c[None], last.weight.grad.T, last.bias.grad[None]]


def sees(inside, heard, said_yesterday, who, n):
    """One prisoner's input on one day."""
    hears = 2 * heard - 1 if inside else torch.zeros(())
    yesterday = 0.0 if said_yesterday is None else 2.0 * said_yesterday - 1.0
    who_am_i = [1.0 if i == who else 0.0 for i in range(n)]
    start = torch.tensor([float(inside)])
    return torch.cat([start, torch.stack([hears]), torch.tensor([yesterday, *who_am_i])])


def episode_of(network, kind, n, visitors, said_and_heard):
    """Outputs[day][prisoner] of one network; ``said_and_heard(day, output)`` of the prisoner in the room."""
    cell, last = network
    memory = [torch.zeros(1, cell.hidden_size) for _ in range(n)]
    heard, yesterday, outputs = torch.zeros(()), [None] * n, []
    for day, visitor in enumerate(visitors):
        today = []
        for i in range(n):
            x = sees(i == visitor, heard, yesterday[i], i, n)
            memory[i] = cell(x[None], memory[i])
            today.append(last(memory[i])[0])
        said, heard = said_and_heard(day, today[visitor])
        yesterday = [said if i == visitor else None for i in range(n)]
        outputs.append(today)
    return outputs


def plain_loss(online, target, kind, n, visitors, uniform, noise, epsilon, scale, discount):
    """Loss and reward of one episode; ``uniform[4][day]``, ``noise[day]``. Online and target: (cell, last layer)."""
    words = []

    def explore(values, which, day):
        if uniform[which][day] < epsilon:
            return int(uniform[which + 1][day] * 2)
        return int(values[1] > values[0])

    def speak(day, output):
        if kind == "dial":
            said = float(output[2] > 0)
            heard = 1 / (1 + torch.exp(-(output[2] + scale * noise[day])))
        else:
            said = float(explore(output[2:4].tolist(), 2, day)) if kind == "rial" else 0.0
            heard = torch.tensor(said)
        words.append((said, heard))
        return said, heard

    outputs = episode_of(online, kind, n, visitors, speak)
    with torch.no_grad():
        if kind == "dial":
            words_of_online = list(words)
            ahead = episode_of(target, kind, n, visitors, speak)
            words = words_of_online
        else:
            ahead = episode_of(target, kind, n, visitors, lambda day, _: words[day])
    loss, been = torch.zeros(()), set()
    for day, visitor in enumerate(visitors):
        been.add(visitor)
        act = explore(outputs[day][visitor][:2].tolist(), 0, day)
        over = act == 1 or day == len(visitors) - 1
        reward = (1.0 if len(been) == n else -1.0) if act == 1 else 0.0
        for i in range(n):
            y = reward
            if not over:
                next_values = ahead[day + 1][i]
                best = max(next_values[0], next_values[1])
                y += discount * float(best if visitors[day + 1] == i else next_values[0])
            loss = loss + (y - outputs[day][i][act if i == visitor else 0]) ** 2
            if kind == "rial" and i == visitor and not over:
                loss = loss + (y - outputs[day][i][2 + int(words[day][0])]) ** 2
        if act == 1:
            break
    return loss, reward
