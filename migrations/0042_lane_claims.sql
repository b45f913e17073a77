-- Which of its lane's claims a consumer came from, and up to which claim what the lane has noted as settled holds: a
-- consumer that was claimed later is not shown there.
alter table cursors add column claim bigint;
alter table visit_lanes add column claims bigint;
